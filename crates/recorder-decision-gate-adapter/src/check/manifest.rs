//! Level 1: the manifest alone.

use std::collections::BTreeSet;

use crate::finding::{Code, Findings};
use crate::json::{JsonFault, Node};
use crate::runpack::Kind;
use crate::source_form::Recomputed;

/// The one version that is known.
const VERSION: &str = "v1";

/// The one algorithm that is known.
const ALGORITHM: &str = "sha256";

/// Bytes of a path, and of one of its names, as the source bounds them.
const PATH_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 255;

/// The members that version 1 knows, by object.
const MANIFEST: &[&str] = &[
    "anchor_policy",
    "artifacts",
    "generated_at",
    "hash_algorithm",
    "integrity",
    "manifest_version",
    "namespace_id",
    "run_id",
    "scenario_id",
    "security",
    "spec_hash",
    "tenant_id",
    "verifier_mode",
];
const ENTRY: &[&str] = &["hash", "path"];
const DIGEST: &[&str] = &["algorithm", "value"];
const INTEGRITY: &[&str] = &["file_hashes", "root_hash"];
const INDEX_ENTRY: &[&str] = &["artifact_id", "content_type", "hash", "kind", "path", "required"];
const SECURITY: &[&str] = &["dev_permissive", "namespace_authority"];
const ANCHOR_POLICY: &[&str] = &["providers"];
const ANCHOR_PROVIDER: &[&str] = &["provider_id", "requirement"];
const ANCHOR_REQUIREMENT: &[&str] = &["anchor_type", "required_fields"];
const TIME: &[&str] = &["kind", "value"];

/// What a manifest says.
#[derive(Debug)]
pub(crate) struct Manifest<'a> {
    /// All of it.
    pub(crate) node: Node<'a>,
    /// The run that it is about.
    pub(crate) run_id: String,
    pub(crate) tenant_id: u64,
    pub(crate) namespace_id: u64,
    /// The digest of the scenario.
    pub(crate) spec_hash: String,
    /// The files it vouches for: paths and digests, whether they are good or not.
    pub(crate) entries: Vec<(String, String)>,
}

/// Reads a manifest.
///
/// # Errors
///
/// What makes it none at all.
pub(crate) fn read(bytes: &[u8]) -> Result<Manifest<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let node = Node::parse(text).map_err(|fault: JsonFault| fault.to_string())?;
    let manifest = understand(&node)?;
    let Understood { run_id, tenant_id, namespace_id, spec_hash, entries } = manifest;
    Ok(Manifest { node, run_id, tenant_id, namespace_id, spec_hash, entries })
}

struct Understood {
    run_id: String,
    tenant_id: u64,
    namespace_id: u64,
    spec_hash: String,
    entries: Vec<(String, String)>,
}

fn understand(node: &Node<'_>) -> Result<Understood, String> {
    let text = |name: &str| {
        node.text_of(name).map(str::to_owned).ok_or_else(|| format!("{name} is no text"))
    };
    let id = |name: &str| {
        let id = node.get(name).and_then(Node::integer).filter(|id| *id > 0);
        id.ok_or_else(|| format!("{name} is no number from 1"))
    };
    let digest = |path: &[&str]| {
        let digest = node.at(path).and_then(written_digest).map(str::to_owned);
        digest.ok_or_else(|| format!("{} is no digest", path.join("/")))
    };
    let list = |path: &[&str]| {
        let list = node.at(path).and_then(Node::list);
        list.ok_or_else(|| format!("{} is no list", path.join("/")))
    };
    if !matches!(text("verifier_mode")?.as_str(), "offline_strict" | "offline_with_fetch") {
        return Err("verifier_mode is unknown".to_owned());
    }
    text("hash_algorithm")?;
    digest(&["integrity", "root_hash"])?;
    if !node.get("generated_at").is_some_and(is_time) {
        return Err("generated_at is no time".to_owned());
    }
    let entries: Option<Vec<_>> = list(&["integrity", "file_hashes"])?.iter().map(entry).collect();
    if !list(&["artifacts"])?.iter().all(|item| entry(item).is_some()) {
        return Err("artifacts holds something else".to_owned());
    }
    text("scenario_id")?;
    Ok(Understood {
        run_id: text("run_id")?,
        tenant_id: id("tenant_id")?,
        namespace_id: id("namespace_id")?,
        spec_hash: digest(&["spec_hash"])?,
        entries: entries.ok_or_else(|| "file_hashes holds something else".to_owned())?,
    })
}

fn entry(item: &Node<'_>) -> Option<(String, String)> {
    let path = item.text_of("path")?.to_owned();
    Some((path, written_digest(item.get("hash")?)?.to_owned()))
}

/// The value of a digest, whatever it is worth.
pub(crate) fn written_digest<'n>(digest: &'n Node<'_>) -> Option<&'n str> {
    digest.text_of("algorithm")?;
    digest.text_of("value")
}

/// Whether this is one of the two kinds of time.
fn is_time(time: &Node<'_>) -> bool {
    let value = time.get("value");
    match time.text_of("kind") {
        Some("unix_millis") => value.and_then(Node::integer::<i64>).is_some(),
        Some("logical") => value.and_then(Node::integer::<u64>).is_some(),
        _ => false,
    }
}

/// Checks a manifest against itself.
pub(crate) fn check(manifest: &Manifest<'_>, findings: &mut Findings) {
    let node = &manifest.node;
    if node.text_of("manifest_version") != Some(VERSION) {
        findings.add(Code::ManifestVersionUnsupported, "manifest/manifest_version");
    }
    if node.text_of("hash_algorithm") != Some(ALGORITHM) {
        findings.add(Code::HashAlgorithmUnsupported, "manifest/hash_algorithm");
    }
    check_members(node, findings);
    check_digests(node, findings);
    check_paths(manifest, findings);
    check_root(node, findings);
    check_index(node, findings);
}

fn check_members(node: &Node<'_>, findings: &mut Findings) {
    let mut known = |object: Option<&Node<'_>>, names: &[&str], path: &str| {
        let members = object.map(Node::members).unwrap_or_default();
        for _ in members.iter().filter(|(name, _)| !names.contains(&name.as_ref())) {
            findings.add(Code::ManifestUnknownField, path);
        }
    };
    known(Some(node), MANIFEST, "manifest");
    known(node.get("generated_at"), TIME, "manifest/generated_at");
    known(node.get("spec_hash"), DIGEST, "manifest/spec_hash");
    known(node.get("security"), SECURITY, "manifest/security");
    known(node.get("integrity"), INTEGRITY, "manifest/integrity");
    known(node.at(&["integrity", "root_hash"]), DIGEST, "manifest/integrity/root_hash");
    for (list, names) in lists(node) {
        for (index, item) in items(node, list).iter().enumerate() {
            let path = format!("manifest/{}/{index}", list.join("/"));
            known(Some(item), names, &path);
            known(item.get("hash"), DIGEST, &format!("{path}/hash"));
        }
    }
    known(node.get("anchor_policy"), ANCHOR_POLICY, "manifest/anchor_policy");
    for item in items(node, &["anchor_policy", "providers"]) {
        known(Some(item), ANCHOR_PROVIDER, "manifest/anchor_policy/providers");
        known(item.get("requirement"), ANCHOR_REQUIREMENT, "manifest/anchor_policy/providers");
    }
}

/// The two lists of files, and the members of their items.
fn lists(_: &Node<'_>) -> [(&'static [&'static str], &'static [&'static str]); 2] {
    [(&["integrity", "file_hashes"], ENTRY), (&["artifacts"], INDEX_ENTRY)]
}

fn items<'n, 'a>(node: &'n Node<'a>, path: &[&str]) -> &'n [Node<'a>] {
    node.at(path).and_then(Node::list).unwrap_or_default()
}

fn check_digests(node: &Node<'_>, findings: &mut Findings) {
    let mut check = |digest: Option<&Node<'_>>, path: String| {
        let Some(digest) = digest else { return };
        if digest.text_of("algorithm") != Some(ALGORITHM) {
            findings.add(Code::HashAlgorithmUnsupported, &path);
        } else if !digest.text_of("value").is_some_and(is_digest) {
            findings.add(Code::DigestMalformed, &path);
        }
    };
    check(node.get("spec_hash"), "manifest/spec_hash".to_owned());
    check(node.at(&["integrity", "root_hash"]), "manifest/integrity/root_hash".to_owned());
    for (list, _) in lists(node) {
        for (index, item) in items(node, list).iter().enumerate() {
            check(item.get("hash"), format!("manifest/{}/{index}/hash", list.join("/")));
        }
    }
}

/// Whether this is a digest as the source writes it.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a path stays inside the runpack, on whatever system it is read.
pub(crate) fn is_safe(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.len() <= NAME_BYTES_MAX
            && !name
                .chars()
                .any(|character| matches!(character, '\\' | ':') || character.is_control())
    };
    path.len() <= PATH_BYTES_MAX && path.split('/').all(is_name)
}

fn check_paths(manifest: &Manifest<'_>, findings: &mut Findings) {
    let mut listed = BTreeSet::new();
    for (list, _) in lists(&manifest.node) {
        let mut seen = BTreeSet::new();
        for (index, item) in items(&manifest.node, list).iter().enumerate() {
            let path = item.text_of("path").unwrap_or_default();
            let place = format!("manifest/{}/{index}/path", list.join("/"));
            if !is_safe(path) {
                findings.add(Code::PathUnsafe, &place);
            }
            if !seen.insert(path.to_owned()) {
                findings.add(Code::PathDuplicate, &place);
            }
        }
        // The list of digests is the one that vouches.
        if list.len() > 1 {
            listed = seen;
        }
    }
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::VerifierReport) {
        if !listed.contains(kind.path()) {
            findings.add(Code::RequiredArtifactUnlisted, kind.path());
        }
    }
}

fn check_root(node: &Node<'_>, findings: &mut Findings) {
    let Some(hashes) = node.at(&["integrity", "file_hashes"]) else { return };
    let root = node.at(&["integrity", "root_hash"]).and_then(written_digest);
    let (code, path) = (Code::RootHashMismatch, "manifest/integrity/root_hash");
    super::compare(findings, code, path, &Recomputed::of(hashes), root);
}

/// The index must list the same files with the same digests in the same order.
fn check_index(node: &Node<'_>, findings: &mut Findings) {
    let hashes = items(node, &["integrity", "file_hashes"]);
    let index = items(node, &["artifacts"]);
    if hashes.len() != index.len() {
        findings.add(Code::ArtifactIndexMismatch, "manifest/artifacts");
    }
    for (place, (hash, artifact)) in hashes.iter().zip(index).enumerate() {
        if entry(hash) != entry(artifact) || !is_consistent(artifact) {
            findings.add(Code::ArtifactIndexMismatch, format_args!("manifest/artifacts/{place}"));
        }
    }
}

/// Whether an item of the index says of a known path what is true of it.
fn is_consistent(artifact: &Node<'_>) -> bool {
    let path = artifact.text_of("path").unwrap_or_default();
    let same_id = artifact.text_of("artifact_id") == Some(path);
    let kind = artifact.text_of("kind");
    same_id && Kind::at(path).is_none_or(|known| kind == Some(known.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_leave_the_runpack_anywhere_is_unsafe() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/./b",
            "a/",
            "a\\b",
            "C:x",
            "a\0b",
            "a\nb",
        ] {
            assert!(!is_safe(path), "{path:?}");
        }
        assert!(!is_safe(&"a".repeat(256)) && !is_safe(&"a/".repeat(3000)));
        assert!(is_safe("artifacts/triggers.json") && is_safe("..."));
    }
}
