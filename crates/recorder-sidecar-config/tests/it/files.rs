//! What may stand in the file, and what is said of the rest.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use recorder_sidecar_config::Config;
use recorder_sidecar_config::projection::{compat, example, markdown, schema};

use crate::fixture::{Place, parse, problems};

#[test]
fn the_example_means_what_an_empty_file_means() {
    let place = Place::new();
    let here = |text: &str| {
        let text = text
            .replace("/run/secrets/recorder-token", "token")
            .replace("enabled = true", "enabled = false");
        parse(&text, &place.root).unwrap()
    };
    let minimal = "config_version = 1\nsecurity.token_path = \"token\"\nsigner.enabled = false\nmetrics.enabled = false";
    assert_eq!(here(&example()).effective(), here(minimal).effective());
}

#[test]
fn the_example_with_its_comments_taken_as_settings_names_every_setting() {
    let settings: String = example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = \"") && !rest.contains(". ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let named = problems(parse(&settings, std::path::Path::new("/nonexistent")));
    assert!(named.iter().all(|(_, detail)| !detail.contains("is not a setting")), "{named:?}");
    for key in recorder_sidecar_config::key::Key::ALL {
        assert!(
            settings.lines().any(|line| line.starts_with(&format!("{} = ", key.leaf()))),
            "{}",
            key.name()
        );
        assert!(markdown().contains(&format!("| `{}` |", key.leaf())));
        assert!(compat()["settings"].get(key.name()).is_some());
    }
}

#[test]
fn the_schema_refuses_what_the_table_does_not_know_at_every_level() {
    fn closed(node: &serde_json::Value) -> bool {
        let Some(members) = node["properties"].as_object() else { return true };
        node["additionalProperties"] == false && members.values().all(closed)
    }
    let schema = schema();
    assert!(closed(&schema));
    assert_eq!(schema["required"], serde_json::json!(["config_version"]));
    assert_eq!(
        schema["properties"]["limits"]["properties"]["max_body_bytes"]["default"],
        33_554_432
    );
    assert_eq!(
        schema["properties"]["transport"]["properties"]["tcp"]["properties"]["tls"]["additionalProperties"],
        false
    );
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    let place = Place::new();
    for (text, path, near) in [
        ("limits.max_body_byte = 1", "limits.max_body_byte", "limits.max_body_bytes"),
        ("transport.tcp.hots = \"x\"", "transport.tcp.hots", "transport.tcp.host"),
        ("max_in_flight = 1", "max_in_flight", "limits.max_in_flight"),
        ("[limit]\nx = 1", "limit", "limits"),
        (
            "[transport.tcp.tls]\ncertificate_path = \"x\"",
            "transport.tcp.tls.certificate_path",
            "transport.tcp.tls.cert_path",
        ),
    ] {
        let found = problems(place.parse_with_token(text));
        let (_, detail) =
            found.iter().find(|(at, _)| at == path).unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(detail, &format!("is not a setting; did you mean {near}?"));
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let place = Place::new();
    let text = "api.major_version = 2\nlimits.max_in_flight = 0\nlogging.level = \"loud\"\ntransport.mode = 7\n\
                recorder.recorder_id = \"\"\nstorage.sqlite_synchronous = \"OFF\"\nmetrics = true";
    let refused = place.parse_with_token(text).unwrap_err();
    let lines: Vec<_> =
        refused.problems().iter().map(|problem| (problem.path.as_str(), problem.line)).collect();
    assert_eq!(
        lines,
        [
            ("api.major_version", Some(4)),
            ("recorder.recorder_id", Some(8)),
            ("storage.sqlite_synchronous", Some(9)),
            ("transport.mode", Some(7)),
            ("limits.max_in_flight", Some(5)),
            ("logging.level", Some(6)),
            ("metrics", Some(10)),
        ]
    );
    let shown = refused.to_string();
    assert!(shown.contains("limits.max_in_flight (line 5): must be between 1 and 4096"), "{shown}");
}

#[test]
fn a_key_that_stands_twice_and_text_that_is_no_toml_are_refused() {
    let place = Place::new();
    for text in [
        "config_version = 1\nconfig_version = 1",
        "[limits",
        "config_version = 1\n[limits]\n[limits]",
    ] {
        let found = problems(parse(text, &place.root));
        assert_eq!((found.len(), found[0].0.as_str()), (1, "file"), "{found:?}");
    }
    let found = problems(parse("", &place.root));
    assert!(
        found.contains(&("config_version".to_owned(), "is missing; it must be set".to_owned())),
        "{found:?}"
    );
}

#[test]
fn a_file_that_is_missing_too_large_or_no_text_is_refused() {
    let place = Place::new();
    let large = place.file("large.toml", &"#".repeat((1 << 20) + 1), 0o644);
    let binary = place.path("binary.toml");
    std::fs::write(&binary, [0xFF]).unwrap();
    for path in [large, binary, place.path("missing.toml")] {
        assert_eq!(problems(Config::load(&path)).len(), 1, "{}", path.display());
    }
}

#[test]
fn a_token_file_that_others_could_have_touched_is_refused() {
    let place = Place::new();
    place.file("shared", "abc", 0o640);
    place.secret("empty", "");
    place.secret("large", &"a".repeat(4097));
    place.secret("twice", "abc");
    std::fs::hard_link(place.path("twice"), place.path("again")).unwrap();
    symlink(place.path("token"), place.path("link")).unwrap();
    std::fs::create_dir(place.path("directory")).unwrap();
    std::fs::set_permissions(place.path("directory"), Permissions::from_mode(0o700)).unwrap();
    for name in ["shared", "empty", "large", "twice", "link", "directory", "missing"] {
        let found = problems(place.parse(&format!("security.token_path = {name:?}")));
        assert_eq!(
            (found.len(), found[0].0.as_str()),
            (1, "security.token_path"),
            "{name}: {found:?}"
        );
    }
    let held = place.parse("security.token_path = \"token\"").unwrap();
    assert_eq!(held.token().unwrap().token.expose(), b"secret-token");
}

#[test]
fn no_secret_stands_in_what_the_settings_say_of_themselves() {
    let place = Place::new();
    let config = place.parse_with_token("").unwrap();
    let shown = format!("{config:?} {}", config.effective());
    assert!(shown.contains("token_path") && !shown.contains("secret-token"), "{shown}");
}

#[test]
fn a_signing_key_is_encrypted_exactly_when_it_has_a_passphrase() {
    use recorder_envelope::key_file::write_encrypted;
    use recorder_envelope::signing::SecretKey;
    let place = Place::new();
    let key = SecretKey::from_seed(&[7; 32]).unwrap();
    let encrypted = write_encrypted(&key, b"correct horse battery", &[1; 16], &[2; 16]).unwrap();
    place.secret("encrypted.pem", &encrypted);
    // RFC 8410, version 1, around the seed of thirty-two sevens.
    place.secret(
        "plain.pem",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n",
    );
    place.secret("passphrase", "correct horse battery\n");
    place.secret("wrong", "another passphrase\n");
    let load = |key: &str, passphrase: Option<&str>| {
        let passphrase = passphrase
            .map(|name| format!("signer.passphrase_path = {name:?}\n"))
            .unwrap_or_default();
        let text = format!(
            "config_version = 1\nsecurity.token_path = \"token\"\nsigner.key_path = {key:?}\n{passphrase}"
        );
        parse(&text, &place.root)
    };
    for (name, passphrase) in [("encrypted.pem", Some("passphrase")), ("plain.pem", None)] {
        let mut config = load(name, passphrase).unwrap();
        assert_eq!(config.take_signer().unwrap().key.key_id(), key.key_id());
    }
    for (name, passphrase) in [
        ("encrypted.pem", None),
        ("plain.pem", Some("passphrase")),
        ("encrypted.pem", Some("wrong")),
        ("token", None),
    ] {
        let found = problems(load(name, passphrase));
        assert_eq!((found.len(), found[0].0.as_str()), (1, "signer.key_path"), "{found:?}");
        assert!(
            !found[0].1.contains("secret-token") && !found[0].1.contains("another"),
            "{found:?}"
        );
    }
}

#[test]
fn the_page_of_settings_is_the_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sidecar-settings.md");
    assert!(
        std::fs::read_to_string(page).unwrap() == markdown(),
        "docs/sidecar-settings.md must be:\n{}",
        markdown()
    );
}
