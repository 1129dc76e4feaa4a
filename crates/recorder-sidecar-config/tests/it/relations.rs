//! What settings owe each other.

use std::net::IpAddr;

use recorder_sidecar_config::config::is_loopback;

use crate::fixture::{Place, problems};

fn refused_at(place: &Place, text: &str) -> Vec<String> {
    problems(place.parse(text)).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn without_a_token_only_this_machine_may_ask() {
    let place = Place::new();
    for host in ["127.0.0.1", "localhost", "::1", "127.8.9.10"] {
        assert!(
            place
                .parse(&format!("security.mode = \"open\"\ntransport.tcp.host = {host:?}"))
                .is_ok(),
            "{host}"
        );
    }
    for host in ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"] {
        let open = format!("security.mode = \"open\"\ntransport.tcp.host = {host:?}");
        assert_eq!(refused_at(&place, &open), ["security.mode"], "{host}");
        let with_token = format!("transport.tcp.host = {host:?}");
        assert!(place.parse_with_token(&with_token).is_ok(), "{host}");
    }
    let waived = "security.mode = \"open\"\ntransport.tcp.host = \"0.0.0.0\"\nsecurity.require_token_for_non_loopback = false";
    assert_eq!(refused_at(&place, waived), ["security.require_token_for_non_loopback"]);
    assert_eq!(
        refused_at(&place, "security.mode = \"open\"\ntransport.tcp.host = \"example.org\""),
        ["transport.tcp.host"]
    );
    assert!(is_loopback("::ffff:127.0.0.1".parse::<IpAddr>().unwrap()));
}

#[test]
fn a_socket_for_everybody_needs_a_token() {
    let place = Place::new();
    let unix = "transport.mode = \"unix\"\ntransport.unix.path = \"s\"\n";
    assert_eq!(
        refused_at(
            &place,
            &format!("{unix}security.mode = \"open\"\ntransport.unix.mode = \"0666\"")
        ),
        ["transport.unix.mode"]
    );
    assert!(
        place
            .parse(&format!("{unix}security.mode = \"open\"\ntransport.unix.mode = \"0660\""))
            .is_ok()
    );
    assert!(place.parse_with_token(&format!("{unix}transport.unix.mode = \"0666\"")).is_ok());
    for mode in ["600", "06000", "0800", "0400", "-600", "rw--"] {
        assert_eq!(
            refused_at(
                &place,
                &format!("security.mode = \"open\"\ntransport.unix.mode = {mode:?}")
            ),
            ["transport.unix.mode"]
        );
    }
    let long = format!(
        "transport.mode = \"both\"\nsecurity.mode = \"open\"\ntransport.unix.path = \"/{}\"",
        "a".repeat(107)
    );
    assert_eq!(refused_at(&place, &long), ["transport.unix.path"]);
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let place = Place::new();
    let open = "security.mode = \"open\"\n";
    for (text, path) in [
        (
            "ingest.idempotency_ttl_seconds = 60\nlimits.request_timeout_ms = 60000",
            "ingest.idempotency_ttl_seconds",
        ),
        (
            "ingest.idempotency_max_entries_per_stream = 100",
            "ingest.idempotency_max_entries_per_stream",
        ),
        ("signer.sign_envelopes = true", "signer.sign_envelopes"),
        ("recorder.auto_seal = { mode = \"none\", count = 5 }", "recorder.auto_seal.count"),
        (
            "recorder.auto_seal = { mode = \"after_count\", duration_seconds = 5 }",
            "recorder.auto_seal.duration_seconds",
        ),
        (
            "storage.head_guard_path = \"/var/lib/recorder/recorder.db/x\"",
            "storage.head_guard_path",
        ),
        ("probes.readiness_mode = \"storage_and_enterprise\"", "probes.readiness_mode"),
        ("probes.enterprise_health_path = \"//x\"", "probes.enterprise_health_path"),
        ("enterprise.require_writer_lease = true", "enterprise.require_writer_lease"),
        ("limits.max_header_bytes = 65537", "limits.max_header_bytes"),
    ] {
        assert_eq!(refused_at(&place, &format!("{open}{text}")), [path], "{text}");
    }
}

#[test]
fn a_control_plane_needs_an_address_a_token_and_token_mode() {
    let place = Place::new();
    place.secret("control", "control-token");
    let complete = "enterprise = { mode = \"private\", control_plane_url = \"http://127.0.0.1:9\", control_plane_token_path = \"control\" }";
    assert!(place.parse_with_token(complete).is_ok());
    assert_eq!(
        refused_at(&place, &format!("security.mode = \"open\"\n{complete}")),
        ["security.mode"]
    );
    let bare = "security.token_path = \"token\"\nenterprise.mode = \"managed_cloud\"";
    assert_eq!(
        refused_at(&place, bare),
        ["enterprise.control_plane_url", "enterprise.control_plane_token_path"]
    );
}

#[test]
fn tls_files_are_parsed_and_belong_together() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    place.file("cert.pem", &made.cert.pem(), 0o644);
    place.secret("key.pem", &made.signing_key.serialize_pem());
    place.secret("other.pem", &other.signing_key.serialize_pem());
    place.file("shared.pem", &made.signing_key.serialize_pem(), 0o644);
    let tls = |files: &[(&str, &str)]| {
        let members: Vec<_> =
            files.iter().map(|(name, path)| format!("{name} = {path:?}")).collect();
        format!("security.mode = \"open\"\ntransport.tcp.tls = {{ {} }}", members.join(", "))
    };
    let held = place.parse(&tls(&[
        ("cert_path", "cert.pem"),
        ("key_path", "key.pem"),
        ("client_ca_path", "cert.pem"),
    ]));
    assert!(held.unwrap().tcp().unwrap().tls.is_some());
    for (files, path) in [
        (&[("cert_path", "cert.pem"), ("key_path", "other.pem")][..], "transport.tcp.tls.key_path"),
        (&[("cert_path", "cert.pem"), ("key_path", "shared.pem")], "transport.tcp.tls.key_path"),
        (&[("cert_path", "cert.pem"), ("key_path", "cert.pem")], "transport.tcp.tls.key_path"),
        (&[("cert_path", "key.pem"), ("key_path", "key.pem")], "transport.tcp.tls.cert_path"),
        (
            &[("cert_path", "cert.pem"), ("key_path", "key.pem"), ("client_ca_path", "token")],
            "transport.tcp.tls.client_ca_path",
        ),
        (&[("cert_path", "cert.pem")], "transport.tcp.tls.key_path"),
        (&[("client_ca_path", "cert.pem"), ("key_path", "key.pem")], "transport.tcp.tls.cert_path"),
    ] {
        assert_eq!(refused_at(&place, &tls(files)), [path], "{files:?}");
    }
    let waived =
        "\ntransport.tcp.host = \"0.0.0.0\"\nsecurity.require_token_for_non_loopback = false";
    let all = [("cert_path", "cert.pem"), ("key_path", "key.pem"), ("client_ca_path", "cert.pem")];
    assert!(place.parse(&format!("{}{waived}", tls(&all))).is_ok());
}

#[test]
fn the_key_of_opentelemetry_is_a_secret_and_its_stream_is_not_the_sidecars_own() {
    let place = Place::new();
    let with = |name: &str| place.parse_with_token(&format!("otel.key_path = \"{name}\"\n"));
    assert!(place.parse_with_token("").unwrap().otel().keys.is_none());
    place.secret("key", &format!("{}\n", "07".repeat(32)));
    assert!(with("key").unwrap().otel().keys.is_some());
    place.secret("short", "0707\n");
    place.file("open", &"07".repeat(32), 0o644);
    for (name, says) in [("short", "64 lower-case hex digits"), ("open", ""), ("missing", "")] {
        let found = problems(with(name));
        assert_eq!((found.len(), found[0].0.as_str()), (1, "otel.key_path"), "{found:?}");
        assert!(found[0].1.contains(says) && !found[0].1.contains("0707"), "{found:?}");
    }
    for (setting, name) in [
        ("tenant_id", "system"),
        ("tenant_id", "a\\nb"),
        ("actor_id", "\\u0000"),
        ("environment_id", "\\u0000"),
    ] {
        let found = problems(place.parse_with_token(&format!("otel.{setting} = \"{name}\"\n")));
        assert_eq!(found[0].0, format!("otel.{setting}"), "{found:?}");
    }
}
