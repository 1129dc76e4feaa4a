//! `contract`: made, compared, and refused where it must be.

use std::os::unix::fs::symlink;

use super::Sandbox;

#[test]
fn a_contract_is_made_once_holds_and_is_named_where_it_does_not() {
    let sandbox = Sandbox::new();
    let made = sandbox.json_ok(&["contract", "generate", "--root", "contract"]);
    let count = made["artifact_count"].as_u64().unwrap();
    assert_eq!(made["written"].as_array().unwrap().len() as u64, count);
    let again = sandbox.json_ok(&["contract", "generate", "--root", "contract"]);
    assert!(again["written"].as_array().unwrap().is_empty());
    let checked = sandbox.json_ok(&["contract", "check", "--root", "contract"]);
    assert_eq!(
        (&checked["holds"], checked["artifact_count"].as_u64()),
        (&true.into(), Some(count))
    );

    sandbox.write("contract/glossary.md", "# Other words\n");
    let (code, checked) = sandbox.json(&["contract", "check", "--root", "contract"]);
    assert_eq!((code, &checked["holds"]), (5, &false.into()));
    assert_eq!(checked["drift"], serde_json::json!([{"path": "glossary.md", "kind": "drifted"}]));
    let people = sandbox.run(&["contract", "check", "--root", "contract"]);
    assert!(
        people.code == 5 && people.stdout.contains("differs    glossary.md"),
        "{}",
        people.stdout
    );
}

#[test]
fn what_was_published_does_not_vanish_unless_it_is_recorded_and_accepted() {
    let sandbox = Sandbox::new();
    sandbox.json_ok(&["contract", "generate", "--root", "old"]);
    sandbox.json_ok(&["contract", "generate", "--root", "new"]);
    let compat = sandbox.read("old/apis/sidecar.compat.json");
    let changed = compat.replace("\"shutting_down\"", "\"closing\"");
    assert_ne!(compat, changed);
    sandbox.write("old/apis/sidecar.compat.json", changed);
    let (code, failure) = sandbox.json(&["contract", "generate", "--root", "old"]);
    assert_eq!((code, failure["error"]["code"].as_str()), (5, Some("contract_breaks")));
    let against = ["contract", "check", "--root", "new", "--against", "old"];
    let (code, checked) = sandbox.json(&against);
    assert_eq!((code, checked["breaks"].as_array().unwrap().len()), (5, 1));
    let record = "[[break]]\nartifact = \"apis/sidecar.compat.json\"\nfact = '/enums/not_ready/\"closing\"'\nwas = '\"closing\"'\nreason = \"it was never more than a test\"\n";
    sandbox.write("old/breaks.toml", record);
    let accepted = sandbox.json_ok(&["contract", "generate", "--root", "old", "--accept-breaks"]);
    assert_eq!(accepted["accepted"].as_array().unwrap().len(), 1);
    sandbox.json_ok(&["contract", "check", "--root", "old"]);
}

#[test]
fn links_and_directories_of_others_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.json_ok(&["contract", "generate", "--root", "contract"]);
    symlink(sandbox.path("contract"), sandbox.path("link")).unwrap();
    for command in ["generate", "check"] {
        let (code, failure) = sandbox.json(&["contract", command, "--root", "link/"]);
        assert_eq!((code, failure["error"]["code"].as_str()), (5, Some("symlink_refused")));
    }
    std::fs::hard_link(sandbox.path("contract/glossary.md"), sandbox.path("second")).unwrap();
    let (code, failure) = sandbox.json(&["contract", "check", "--root", "contract"]);
    assert_eq!((code, failure["error"]["code"].as_str()), (5, Some("hard_linked")));
    std::fs::create_dir(sandbox.path("others")).unwrap();
    sandbox.write("others/thesis.txt", "years of work");
    let (code, failure) = sandbox.json(&["contract", "generate", "--root", "others"]);
    assert_eq!((code, failure["error"]["code"].as_str()), (5, Some("contract_not_ours")));
    assert_eq!(sandbox.read("others/thesis.txt"), "years of work");
    let (code, failure) = sandbox.json(&["contract", "check", "--root", "none"]);
    assert_eq!((code, failure["error"]["code"].as_str()), (5, Some("contract_missing")));
}
