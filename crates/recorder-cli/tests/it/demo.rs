//! `demo`: the story ends well, and what it keeps can be checked again by anyone.

use super::{Sandbox, mode, refusal};

#[test]
fn the_demonstration_catches_every_attack_and_keeps_what_it_says() {
    let sandbox = Sandbox::new();
    let story = sandbox.json_ok(&["demo", "--keep", "kept"]);
    assert_eq!(story["verdict"], "valid");
    assert_eq!(story["all_caught"], true);
    assert_eq!(story["recorded"], 56);
    let attacks = story["attacks"].as_array().unwrap();
    assert!(attacks.len() >= 10, "{}", attacks.len());
    for attack in attacks {
        assert!(
            attack["caught"] == true && !attack["code"].as_str().unwrap().is_empty(),
            "{attack}"
        );
    }
    let caught_by = |name: &str| {
        let attack = attacks.iter().find(|attack| attack["name"] == name).unwrap();
        (attack["phase"].as_str().unwrap(), attack["code"].as_str().unwrap())
    };
    assert_eq!(caught_by("payload_edit"), ("content", "commitment_mismatch"));
    assert_eq!(caught_by("payload_edit_rehashed"), ("signatures", "checkpoint_mismatch"));
    assert_eq!(caught_by("payload_edit_resigned"), ("signatures", "key_unknown"));
    assert_eq!(caught_by("attachment_swap"), ("attachments", "attachment_hash_mismatch"));
    assert_eq!(caught_by("signature_strip"), ("signatures", "checkpoint_missing"));
    assert_eq!(mode(&sandbox.path("kept/signer-key.pem")), 0o600);
    let kept = std::fs::read_dir(sandbox.path("kept")).unwrap();
    let mut names =
        kept.map(|it| it.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    names.sort();
    assert_eq!(
        names,
        [
            "recorder.db",
            "recorder.db-lock",
            "refund-desk.recorder.zip",
            "signer-key.pem",
            "signer-passphrase",
            "trust-root.json",
        ]
    );
    let bundle = "kept/refund-desk.recorder.zip";
    let verify = ["bundle", "verify", bundle, "--trust-root", "kept/trust-root.json"];
    assert_eq!(sandbox.json_ok(&verify)["verdict"], "valid");
    assert_eq!(sandbox.run(&["fsck", "--store", "kept/recorder.db"]).code, 0);
}

#[test]
fn a_directory_that_holds_something_is_not_taken() {
    let sandbox = Sandbox::new();
    sandbox.write("kept/mine", "mine");
    assert_eq!(refusal(&sandbox.json(&["demo", "--keep", "kept"])), (5, "already_exists"));
    assert_eq!(std::fs::read_dir(sandbox.path("kept")).unwrap().count(), 1);
}
