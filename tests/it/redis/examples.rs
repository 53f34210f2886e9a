//! The configuration examples: each is good, and Slugline runs with nothing but what the server's examples allow it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use slugline::config::Config;
use slugline::store::redis::settings::Mode;
use slugline::store::settings::Kind;

use super::servers::Standalone;
use crate::faults::Seed;
use crate::faults::books::settled;
use crate::faults::load::Load;
use crate::faults::node::Home;
use crate::harness::wait::eventually_blocking;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(name)
}

#[test]
fn every_example_is_loaded() {
    let password = [("SLUGLINE__STORE__REDIS__PASSWORD".to_owned(), "secret".to_owned())];
    let modes = [
        ("redis-standalone.toml", Mode::Standalone),
        ("redis-sentinel.toml", Mode::Sentinel),
        ("redis-cluster.toml", Mode::Cluster),
    ];
    for (name, mode) in modes {
        let config = Config::load(Some(&example(name)), password.iter().cloned(), &[]).unwrap();
        assert_eq!((config.store.kind, config.store.redis.mode), (Kind::Redis, mode), "{name}");
    }
    let there =
        std::fs::read_dir(example("")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    let tomls: Vec<String> = there.filter(|name| name.ends_with(".toml")).collect();
    assert_eq!(tomls.len(), modes.len(), "an example that no test loads: {tomls:?}");
}

#[test]
fn the_recommended_server_and_user_are_enough() {
    let seed = Seed::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let acl = std::fs::read_to_string(example("users.acl")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.acl");
    std::fs::write(&users, acl.replace("change-me", "a-password")).unwrap();
    // The file as it is, and over it only where the users are.
    let conf = std::fs::read_to_string(example("redis.conf")).unwrap();
    let lines: Vec<&str> =
        conf.lines().filter(|line| !line.starts_with('#') && !line.starts_with("aclfile")).collect();
    let aclfile = format!("aclfile {}", users.display());
    let server = runtime.block_on(Standalone::start(&[&lines[..], &[&aclfile]].concat()));
    let config = format!("{}username = \"slugline\"\npassword = \"a-password\"\n", server.config());
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), &config, 4, &["store.lanes=8"]);
    let hook = home.api(&node, "POST", "/webhooks", &json!({ "url": "http://hooks.invalid/" }));
    home.api(&node, "POST", "/links", &json!({ "url": "https://news.example.com/told" }));
    let path = format!("/webhooks/{}", hook["id"].as_str().unwrap());
    eventually_blocking("what a try came to is kept", || {
        let list = home.api(&node, "GET", &format!("{path}/deliveries"), &Value::Null);
        (list["items"][0]["attempts"].as_u64() >= Some(1)).then_some(())
    });
    assert_eq!(home.call(&node, "DELETE", &path, &Value::Null).status, 204);
    let done = Load::run(node.public(), &home.codes, &mut seed.chance(0), 200);
    let books = settled(&home, &node);
    books.check(&[0; 4], &done.known);
    assert!(!node.log().contains("NOPERM"), "a command that the user may not: {}", node.log());
    node.stop();
}
