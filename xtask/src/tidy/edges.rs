//! Which crate may use which: the layers of the architecture, checked on cargo's own metadata.
//!
//! An auditor builds a verifier from `recorder-core`, `recorder-envelope` and `recorder-verify`
//! alone; one careless edge would end that. Deliberately absent: dependencies from elsewhere, which
//! `deny.toml` rules.

use std::collections::BTreeSet;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate and what stands directly to its left. It may use that and all that stands left of it.
const LAYERS: &[(&str, &[&str])] = &[
    ("recorder-core", &[]),
    ("recorder-fs", &[]),
    ("recorder-envelope", &["recorder-core"]),
    ("recorder-verify", &["recorder-envelope"]),
    ("recorder-store", &["recorder-envelope"]),
    ("recorder", &["recorder-store", "recorder-fs"]),
    ("recorder-sdk", &["recorder", "recorder-verify"]),
    ("recorder-otel-adapter", &["recorder-envelope"]),
    ("recorder-decision-gate-adapter", &["recorder-envelope"]),
    ("recorder-openclaw-adapter", &["recorder-envelope"]),
    ("recorder-sidecar-config", &["recorder-envelope", "recorder-fs"]),
    ("recorder-sidecar-api", &["recorder-envelope"]),
    (
        "recorder-contract",
        &[
            "recorder-sidecar-config",
            "recorder-sidecar-api",
            "recorder-otel-adapter",
            "recorder-decision-gate-adapter",
            "recorder-openclaw-adapter",
            "recorder-verify",
            "recorder-fs",
        ],
    ),
    (
        "recorder-sidecar",
        &[
            "recorder",
            "recorder-verify",
            "recorder-otel-adapter",
            "recorder-decision-gate-adapter",
            "recorder-openclaw-adapter",
            "recorder-sidecar-config",
            "recorder-sidecar-api",
            "recorder-fs",
        ],
    ),
    (
        "recorder-cli",
        &[
            "recorder",
            "recorder-verify",
            "recorder-otel-adapter",
            "recorder-decision-gate-adapter",
            "recorder-openclaw-adapter",
            "recorder-contract",
            "recorder-sidecar-api",
            "recorder-fs",
        ],
    ),
];

/// Uses in tests that point to the right or sideways: the engine's bundles are checked by the verifier, and the schema of
/// guarded heads against the reader of them.
const TEST_EDGES: &[(&str, &str)] =
    &[("recorder", "recorder-verify"), ("recorder-contract", "recorder")];

/// Tools of this repository: they may use anything, and nothing may use them.
const TOOLS: &[&str] = &["recorder-bench", "xtask"];

/// A crate of the workspace and the other crates of it that it uses.
pub(super) struct Member {
    name: String,
    uses: Vec<(String, DependencyKind)>,
}

/// Asks cargo for the crates of the workspace at `root`.
///
/// # Errors
///
/// Fails when cargo does.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Member>> {
    let metadata =
        MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec()?;
    let members = metadata.workspace_packages().into_iter().map(|package| {
        let local = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
        let uses = local.map(|dependency| (dependency.name.clone(), dependency.kind)).collect();
        Member { name: package.name.to_string(), uses }
    });
    Ok(members.collect())
}

/// Names each edge, missing crate and unknown crate that the layers do not allow.
pub(super) fn check(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for (layer, _) in LAYERS {
        if !members.iter().any(|member| member.name == *layer) {
            findings.push(format!("{layer}: the crate is gone; LAYERS lists it"));
        }
    }
    for member in members.iter().filter(|member| !TOOLS.contains(&member.name.as_str())) {
        if LAYERS.iter().any(|(layer, _)| *layer == member.name) {
            findings.extend(check_member(member));
        } else {
            findings.push(format!("{}: a crate that LAYERS does not list", member.name));
        }
    }
    findings
}

fn check_member(member: &Member) -> impl Iterator<Item = String> {
    let allowed = left_of(&member.name);
    let is_allowed = move |used: &str, kind: DependencyKind| {
        let in_tests = kind == DependencyKind::Development
            && TEST_EDGES.contains(&(member.name.as_str(), used));
        allowed.contains(used) || in_tests
    };
    let refused = member.uses.iter().filter(move |(used, kind)| !is_allowed(used, *kind));
    refused.map(|(used, kind)| format!("{} may not use {used} ({kind} dependency)", member.name))
}

/// All that stands left of a layer.
fn left_of(layer: &str) -> BTreeSet<&'static str> {
    let direct = LAYERS.iter().filter(|(name, _)| *name == layer).flat_map(|(_, left)| *left);
    direct.flat_map(|left| left_of(left).into_iter().chain([*left])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing() -> Vec<Member> {
        let layers = LAYERS.iter();
        layers.map(|(name, _)| Member { name: (*name).to_owned(), uses: Vec::new() }).collect()
    }

    fn findings_with(from: &str, to: &str, kind: DependencyKind) -> Vec<String> {
        let mut members = existing();
        let user = members.iter_mut().find(|member| member.name == from).unwrap();
        user.uses.push((to.to_owned(), kind));
        check(&members)
    }

    #[test]
    fn an_edge_to_the_left_is_allowed_at_any_distance() {
        let found = findings_with("recorder-cli", "recorder-core", DependencyKind::Normal);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_edge_to_the_right_sideways_or_to_a_tool_is_found() {
        for (from, to) in [
            ("recorder-core", "recorder-envelope"),
            ("recorder-verify", "recorder-store"),
            ("recorder", "recorder-verify"),
            ("recorder-store", "recorder-fs"),
            ("recorder-cli", "xtask"),
            ("recorder-cli", "recorder-bench"),
        ] {
            let found = findings_with(from, to, DependencyKind::Normal);
            assert_eq!(found, [format!("{from} may not use {to} (normal dependency)")]);
        }
    }

    #[test]
    fn what_tests_may_use_nothing_else_may() {
        for (from, to) in TEST_EDGES {
            let found = findings_with(from, to, DependencyKind::Development);
            assert!(found.is_empty(), "{found:?}");
            for kind in [DependencyKind::Normal, DependencyKind::Build] {
                assert_eq!(findings_with(from, to, kind).len(), 1, "{from} {to}");
            }
        }
    }

    #[test]
    fn a_crate_that_vanished_or_was_never_listed_is_found() {
        let mut members = existing();
        members.retain(|member| member.name != "recorder-verify");
        members.push(Member { name: "recorder-extra".to_owned(), uses: Vec::new() });
        assert_eq!(check(&members).len(), 2, "{:?}", check(&members));
    }
}
