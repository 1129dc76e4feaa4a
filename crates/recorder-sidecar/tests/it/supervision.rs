//! What supervisors use: the exit codes of `--check` and `healthcheck`, what they say, and how long they take.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::sidecar::{Place, binary};
use crate::tls::issue;

/// The exit code and what was said on standard error.
fn ended(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn check(place: &Place, more: &str) -> (i32, String) {
    ended(binary().arg("--config").arg(place.configure(more)).arg("--check"))
}

fn health(arguments: &[&str]) -> (i32, String) {
    ended(binary().arg("healthcheck").args(arguments))
}

#[test]
fn everything_that_is_wrong_with_the_settings_is_said_at_once() {
    let place = Place::new();
    place.secret("large", &"a".repeat(4097));
    let more = "limits.max_in_flite = 1\n\
                limits.max_body_bytes = \"32 MiB\"\n\
                ingest.queue_capacity = -1\n\
                storage.sqlite_synchronous = \"OFF\"\n\
                transport.tcp.host = \"0.0.0.0.0\"\n\
                transport.tcp.tls.cert_path = \"missing.pem\"\n\
                security.token_path = \"large\"\n\
                signer = { enabled = 1, key_path = \"token\", sign_envelops = true }\n\
                logging.format = [\"json\"]\n\
                probe.readiness_mode = \"storage_only\"\n\
                otel.otlp_alias = 1979-05-27\n\
                recorder.auto_seal = \"none\"\n";
    // Dotted keys of the fixture would clash with the table.
    let more = more.replace("signer = {", "[signer2]\n").replace("[signer2]\n", "signer2 = {");
    let (code, said) = check(&place, &more);
    assert_eq!(code, 1, "{said}");
    for (path, words) in [
        ("limits.max_in_flite", "did you mean limits.max_in_flight?"),
        ("limits.max_body_bytes", "must be a whole number, between 1024 and 67108864"),
        ("ingest.queue_capacity", "must be between 1 and 4096"),
        ("storage.sqlite_synchronous", "must be one of \"FULL\", \"NORMAL\""),
        ("transport.tcp.host", "must be an IP address, or localhost"),
        ("transport.tcp.tls.key_path", "is missing"),
        ("security.token_path", "large"),
        ("signer2", "did you mean signer?"),
        ("logging.format", "must be one of \"json\", \"text\""),
        ("probe", "did you mean probes?"),
        ("otel.otlp_alias", "must be true or false"),
        ("recorder.auto_seal", "is a table of settings, not a value"),
    ] {
        let line = said.lines().find(|line| {
            let line = line.strip_prefix("recorder-sidecar: ").unwrap_or(line);
            line.starts_with(&format!("{path} ")) || line.starts_with(&format!("{path}:"))
        });
        assert!(line.is_some_and(|line| line.contains(words)), "{path}: {words}\n{said}");
    }
    assert!(!said.contains("secret-token") && !said.contains("aaaa"), "{said}");
}

#[test]
fn a_secret_that_others_could_have_touched_is_refused_wherever_it_is_named() {
    let place = Place::new();
    let (_, certificate, key) = issue("localhost");
    place.secret("cert.pem", &certificate);
    place.secret("tls.pem", &key);
    let tls = "transport.tcp.tls = { cert_path = \"cert.pem\", key_path = \"tls.pem\" }\n";
    assert_eq!(check(&place, tls).0, 0);
    let secrets = [
        ("token", "security.token_path"),
        ("key.pem", "signer.key_path"),
        ("tls.pem", "transport.tcp.tls.key_path"),
    ];
    for (name, setting) in secrets {
        let path = place.path(name);
        let kept = place.path("kept");
        let refused = |what: &str| {
            let began = Instant::now();
            let (code, said) = check(&place, tls);
            assert_eq!(code, 1, "{name}, {what}: {said}");
            assert!(said.contains(setting), "{name}, {what}: {said}");
            assert!(!said.contains("secret-token") && !said.contains("PRIVATE KEY"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(20), "{name}, {what}");
        };
        for mode in [0o640, 0o604, 0o620, 0o606] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            refused(&format!("{mode:o}"));
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::hard_link(&path, &kept).unwrap();
        refused("two names");
        std::fs::remove_file(&path).unwrap();
        refused("nothing");
        symlink(&kept, &path).unwrap();
        refused("a link");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        refused("a directory");
        std::fs::remove_dir(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600))
            .unwrap();
        refused("a pipe that nobody writes to");
        std::fs::remove_file(&path).unwrap();
        let socket = UnixListener::bind(&path).unwrap();
        refused("a socket");
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, vec![b'a'; 1 << 20]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        refused("a mebibyte");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&kept, &path).unwrap();
        assert_eq!(check(&place, tls).0, 0, "{name}");
    }
    // A directory on the way that is a link.
    std::fs::create_dir(place.path("real")).unwrap();
    std::fs::rename(place.path("token"), place.path("real/token")).unwrap();
    symlink(place.path("real"), place.path("linked")).unwrap();
    assert_eq!(check(&place, "security.token_path = \"real/token\"\n").0, 0);
    let (code, said) = check(&place, "security.token_path = \"linked/token\"\n");
    assert!(code == 1 && said.contains("security.token_path"), "{said}");
}

#[test]
fn settings_that_are_no_file_are_refused_without_waiting() {
    let place = Place::new();
    let config = place.path("sidecar.toml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &config, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for path in [config, place.root.clone(), place.path("missing"), "/dev/zero".into()] {
        let (code, said) = ended(binary().arg("--config").arg(&path).arg("--check"));
        assert!(code == 1 && said.contains("file"), "{}: {said}", path.display());
    }
    // What is not understood is a matter of the command line.
    for arguments in [&["--chek"][..], &["--check"], &["healthcheck"], &["serve"]] {
        assert_eq!(ended(binary().args(arguments)).0, 2, "{arguments:?}");
    }
}

#[test]
fn a_health_check_asks_over_tls_with_and_without_a_certificate_of_its_own() {
    let place = Place::new();
    let (authority, certificate, key) = issue("localhost");
    let (clients, client_certificate, client_key) = issue("client");
    let (stranger, _, _) = issue("localhost");
    for (name, text) in [
        ("ca.pem", &authority),
        ("cert.pem", &certificate),
        ("tls.pem", &key),
        ("clients.pem", &clients),
        ("client.pem", &client_certificate),
        ("client-key.pem", &client_key),
        ("stranger.pem", &stranger),
    ] {
        place.secret(name, text);
    }
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let (ca, stranger) = (path("ca.pem"), path("stranger.pem"));
    let (own, own_key) = (path("client.pem"), path("client-key.pem"));
    let tls = "transport.tcp.tls = { cert_path = \"cert.pem\", key_path = \"tls.pem\" }\n";
    let sidecar = place.start(tls);
    let port = sidecar.address.as_ref().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let url = format!("https://localhost:{port}/ready");
    assert_eq!(health(&["--url", &url, "--ca-cert", &ca]), (0, String::new()));
    for refused in [
        &["--url", &url, "--ca-cert", &stranger][..],
        &["--url", &format!("https://127.0.0.1:{port}/ready"), "--ca-cert", &ca],
        &["--url", &format!("https://localhost:{port}/nothing"), "--ca-cert", &ca],
        &["--url", &url],
        &["--url", &format!("http://localhost:{port}/ready")],
        &["--url", &format!("http://localhost:{port}/ready"), "--ca-cert", &ca],
        &["--url", &url, "--ca-cert", &path("missing")],
    ] {
        let (code, said) = health(refused);
        assert!(code == 1 && said.starts_with("recorder-sidecar: "), "{refused:?}: {said}");
    }
    drop(sidecar);
    let mutual = tls.replace(" }", ", client_ca_path = \"clients.pem\" }");
    let sidecar = place.start(&mutual);
    let port = sidecar.address.as_ref().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let url = format!("https://localhost:{port}/ready");
    let asked = ["--url", &url, "--ca-cert", &ca];
    assert_eq!(health(&asked).0, 1);
    let with_own = [&asked[..], &["--client-cert", &own, "--client-key", &own_key]].concat();
    assert_eq!(health(&with_own), (0, String::new()));
    assert_eq!(
        health(&[&asked[..], &["--client-cert", &own]].concat()).0,
        2,
        "a key belongs to it"
    );
}

#[test]
fn a_health_check_ends_in_time_whatever_answers() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ready", listener.local_addr().unwrap());
    let answering = |answer: fn(&mut std::net::TcpStream)| {
        let listener = listener.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            answer(&mut stream);
        });
        let began = Instant::now();
        let (code, said) = health(&["--url", &url]);
        assert!(began.elapsed() < Duration::from_secs(20), "{said}");
        thread.join().unwrap();
        assert!(said.len() < 2000 && said.lines().count() <= 1, "{said}");
        (code, said)
    };
    assert_eq!(answering(|it| drop(it.write_all(b"HTTP/1.1 200 OK\r\n\r\n"))).0, 0);
    let (code, said) = answering(|it| drop(it.write_all(b"HTTP/1.1 503 \x1b[31mno\r\n\r\n")));
    assert!(code == 1 && said.contains("503") && !said.contains('\x1b'), "{said}");
    // One that never ends its first line, one that says nothing, one that drips.
    let (code, _) = answering(|it| while it.write_all(&[b'a'; 4096]).is_ok() {});
    assert_eq!(code, 1);
    let (code, said) = answering(|it| drop(it.read(&mut [0; 1])));
    assert!(code == 1 && said.contains("3 seconds"), "{said}");
    let (code, said) = answering(|it| {
        while it.write_all(b"H").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    assert!(code == 1 && said.contains("3 seconds"), "{said}");
    // A socket whose listener accepts nobody.
    let socket = place.path("busy");
    let _busy = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let (code, said) = health(&["--unix-socket", socket.to_str().unwrap()]);
    assert!(code == 1 && said.contains("3 seconds"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_socket_that_somebody_else_has_is_not_taken_for_a_dead_one() {
    let place = Place::new();
    let config = place.configure("transport.mode = \"unix\"\ntransport.unix.path = \"socket\"\n");
    let other = UnixDatagram::bind(place.path("socket")).unwrap();
    let (code, said) = ended(binary().arg("--config").arg(&config).arg("--create"));
    assert!(code == 1 && said.contains("socket"), "{said}");
    drop(other);
    assert!(place.path("socket").exists(), "it is somebody's");
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/systemd/recorder-sidecar.service");
    let text = std::fs::read_to_string(unit).unwrap();
    let place = Place::new();
    // The program is not installed here.
    let copy = place.path("recorder-sidecar.service");
    std::fs::write(
        &copy,
        text.replace("/usr/bin/recorder-sidecar", binary().get_program().to_str().unwrap()),
    )
    .unwrap();
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() else {
        println!("SKIPPED: systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("recorder-sidecar.service:"), "{said}");
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let judged = Command::new("systemd-analyze").args(security).arg(&copy).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}
