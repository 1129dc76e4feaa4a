//! Rules that no compiler checks, each a function from what is there to what is wrong with it.
//!
//! Deliberately absent: exceptions kept in a list. A rule that does not fit is changed here, in
//! the open.

mod documents;
mod edges;
mod features;
mod sources;
mod tree;

use std::path::Path;

/// Checks every rule and prints each finding.
///
/// # Errors
///
/// Fails when there are findings, or when the workspace cannot be read.
pub(crate) fn run() -> anyhow::Result<()> {
    let findings = check(&crate::root()?)?;
    for finding in &findings {
        println!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "{} findings", findings.len());
    Ok(())
}

fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = tree::read(root)?;
    let mut findings = edges::check(&edges::read(root)?);
    findings.extend(features::check(&features::read(root)?));
    findings.extend(sources::check(&files));
    findings.extend(documents::check(&files));
    findings.extend(check_controls(&files));
    Ok(findings)
}

fn check_controls(files: &tree::Files) -> Vec<String> {
    let is_source = |(path, _): &(&String, &Option<String>)| path.ends_with(".rs");
    let sources = files.iter().filter(is_source).filter_map(|(_, text)| text.as_deref());
    let sources = sources.collect::<Vec<_>>().join("\n");
    crate::controls::check(|path| files.get(path)?.as_deref(), &sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = check(&crate::root().unwrap()).unwrap();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }
}
