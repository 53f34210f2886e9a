//! What stops a migration, and that nothing was done then.

use std::path::Path;

use serde_json::Value;
use slugline::hits::journal::sim::Chance;

use super::{migrate, newsroom, refused, runtime, verified};
use crate::faults::load::Load;
use crate::faults::node::{Home, Node};
use crate::harness::cli;
use crate::redis::servers::Standalone;

fn small(file: &str) -> (Home, Node) {
    Home::begin_with(tempfile::tempdir().unwrap(), file, 3, &newsroom::OPTIONS)
}

fn follow(home: &Home, node: &Node) {
    Load::run(node.public(), &home.codes, &mut Chance::new(5), 60);
}

/// Nothing was begun: the source is served from, the target has no note.
fn untouched(home: &Home, target: &Home) {
    assert!(!target.data().join("migrate.json").exists());
    home.start().stop();
}

#[test]
fn a_store_into_itself() {
    let (home, node) = small("");
    node.stop();
    refused(&migrate(&home, &home), "same data folder");
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (redis, node) = small(&server.config());
    node.stop();
    refused(&migrate(&redis, &redis.onward(&server.config())), "the same store");
    untouched(&home, &home);
}

#[test]
fn a_folder_in_use() {
    let (home, node) = small("");
    let target = home.onward("");
    refused(&migrate(&home, &target), "in use by slugline serve");
    node.stop();
    let (other, node) = small("");
    refused(&migrate(&home, &other), "in use by slugline serve");
    node.stop();
    untouched(&home, &target);
}

#[test]
fn a_target_that_is_not_empty() {
    let (home, node) = small("");
    node.stop();
    let (other, node) = small("");
    node.stop();
    refused(&migrate(&home, &other), "not empty");
    // A first start makes a key, and that is something already.
    let served = home.onward("");
    served.start().stop();
    refused(&migrate(&home, &served), "has API keys");
    let elsewhere = home.onward("[newsroom]\ntimezone = \"Asia/Tokyo\"\n");
    elsewhere.command(&["key", "list"]).done();
    refused(&migrate(&home, &elsewhere), "another time zone");
    untouched(&home, &served);
}

#[test]
fn a_source_that_is_not_there() {
    let (home, node) = small("");
    node.stop();
    let nowhere = home.onward("");
    let target = home.onward("");
    refused(&migrate(&nowhere, &target), "no data folder");
    std::fs::create_dir(nowhere.data()).unwrap();
    refused(&migrate(&nowhere, &target), "no store to migrate");
    let names: Vec<_> = std::fs::read_dir(nowhere.data()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"], "none was made");
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let empty = home.onward(&server.config());
    std::fs::create_dir(empty.data()).unwrap();
    refused(&migrate(&empty, &target), "no store to migrate");
    assert_eq!(runtime.block_on(server.ask(&["DBSIZE"])), redis::Value::Int(0));
}

#[test]
fn a_bad_configuration_of_the_target() {
    let (home, node) = small("");
    node.stop();
    let file = home.data().join("bad.toml");
    std::fs::write(&file, "[store]\nkind = \"papyrus\"\n").unwrap();
    for (file, named) in [(file.as_path(), "store.kind"), (Path::new("/nowhere.toml"), "/nowhere.toml")] {
        let ended = home.command(&["migrate", "--to", file.to_str().unwrap()]);
        assert!(ended.code == 64 && ended.stderr.contains(named), "{ended:?}");
    }
    assert_eq!(home.command(&["migrate"]).code, 2);
    let help = cli::run(["migrate", "--help"]).done();
    assert!(help.contains("--to") && help.contains("store adopt"), "{help}");
}

#[test]
fn another_node_that_has_not_ended_its_stream() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (one, node) = small(&server.config());
    let two = one.onward(&server.config());
    let other = two.start();
    // One after the other: books that are read while another node counts do not add up.
    follow(&one, &node);
    crate::faults::books::settled(&one, &node);
    follow(&two, &other);
    crate::faults::books::settled(&two, &other);
    node.stop();
    let target = one.onward("");
    refused(&migrate(&one, &target), "unfinished streams: ");
    other.kill();
    refused(&migrate(&one, &target), "unfinished streams: ");
    untouched(&one, &target);
    two.start().stop();
    migrate(&one, &target).done();
    verified(&target);
}

#[test]
fn a_folder_that_waits_for_something_else() {
    let (home, node) = small("");
    node.stop();
    let note = r#"{"source":"0","header":"0","merge":false,"lines":5,"ended":false}"#;
    let target = home.onward("");
    std::fs::create_dir(target.data()).unwrap();
    std::fs::write(target.data().join("import.json"), note).unwrap();
    refused(&migrate(&home, &target), "the target waits for something else: an import");
    std::fs::remove_file(target.data().join("import.json")).unwrap();
    std::fs::write(home.data().join("import.json"), note).unwrap();
    refused(&migrate(&home, &target), "the source is not whole: an import");
    std::fs::remove_file(home.data().join("import.json")).unwrap();
    let other = r#"{"source":"00","target":"11","stage":"compare"}"#;
    std::fs::write(target.data().join("migrate.json"), other).unwrap();
    refused(&migrate(&home, &target), "was cut short here");
    let mut half = target.spawn();
    assert_eq!(half.ended(), Some(1));
    assert!(half.log().contains("run `slugline migrate` again"), "{}", half.log());
    std::fs::remove_file(target.data().join("migrate.json")).unwrap();
    migrate(&home, &target).done();
}

/// Whoever compares must not be told what it was told when it copied.
#[test]
fn a_difference_is_named_and_nothing_is_fenced() {
    let runtime = runtime();
    for server in [None, Some(runtime.block_on(Standalone::start(&[])))] {
        let file = server.as_ref().map(Standalone::config).unwrap_or_default();
        let (home, node) = small("");
        follow(&home, &node);
        node.stop();
        let (again, target) = (home.copied(), home.onward(&file));
        migrate(&home, &target).done();
        let node = target.start();
        let change = serde_json::json!({ "version": 1, "note": "another" });
        target.api(&node, "PATCH", "/links/story-1", &change);
        node.stop();
        let dataset = |home: &Home| {
            let status = home.command(&["store", "status"]).stdout;
            let line =
                status.lines().find_map(|line| line.strip_prefix("dataset")).unwrap().trim().to_owned();
            line.split(',').next().unwrap().to_owned()
        };
        let note =
            serde_json::json!({ "source": dataset(&again), "target": dataset(&target), "stage": "compare" });
        std::fs::write(target.data().join("migrate.json"), note.to_string()).unwrap();
        refused(&migrate(&again, &target), "link story-1 is another in the target");
        let node = again.start();
        again.api(&node, "GET", "/links/story-1", &Value::Null);
        node.stop();
    }
}
