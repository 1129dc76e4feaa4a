//! Checks the catalogs of `i18n/locales` and makes typed texts of them. One that is wrong stops the build.
#![expect(
    clippy::disallowed_methods,
    reason = "the files are this package's own, and what is made goes where cargo says"
)]

#[path = "i18n/catalog.rs"]
mod catalog;
#[path = "i18n/generate.rs"]
mod generate;

use std::error::Error;
use std::path::{Path, PathBuf};

const LOCALES: &str = "i18n/locales";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={LOCALES}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=i18n");
    let package = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let files = read(&package.join(LOCALES))?;
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let catalogs = match catalog::read(&files) {
        Ok(catalogs) => catalogs,
        Err(problems) => {
            problems.iter().for_each(|problem| println!("cargo::error={LOCALES}/{problem}"));
            return Err(format!("{} problems in {LOCALES}", problems.len()).into());
        }
    };
    let output = PathBuf::from(std::env::var("OUT_DIR")?).join("texts.rs");
    std::fs::write(output, generate::generate(&catalogs))?;
    Ok(())
}

/// Every file of the directory, sorted by name.
fn read(directory: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        files.push((name.unwrap_or_default(), std::fs::read_to_string(&path)?));
    }
    files.sort();
    Ok(files)
}
