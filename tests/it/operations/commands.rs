//! Commands that end by themselves: what they print, and their exit codes.

use crate::harness::{TestApp, Value, cli};

#[test]
fn exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, "[server]\nlitsen = \"127.0.0.1:1\"\n").unwrap();
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, "[server\n").unwrap();
    let (file, broken) = (file.to_str().unwrap(), broken.to_str().unwrap());
    let data = format!("data.dir={}", dir.path().join("data").display());
    let table: [(&[&str], i32, &str); 14] = [
        (&["config", "check"], 0, ""),
        (&["--version"], 0, ""),
        (&["key", "revoke", "nobody", "--set", &data], 1, "no key"),
        (&["user", "disable", "nobody", "--set", &data], 1, "no user"),
        (&["healthcheck", "--set", "server.ops_listen=127.0.0.1:1"], 1, "127.0.0.1:1"),
        (&["--nonsense"], 2, "--nonsense"),
        (&["dance"], 2, "dance"),
        (&["key", "create", "x"], 2, "--role"),
        (&["key", "create", "x", "--role", "king"], 2, "king"),
        (&["config", "check", "--set", "codes.length=seven"], 64, "codes.length"),
        (&["config", "check", "--set", "codes.lenght=7"], 64, "codes.lenght"),
        (&["config", "check", "--config", file], 64, "server.litsen"),
        (&["config", "check", "--config", broken], 64, "broken.toml"),
        (&["config", "check", "--config", "/nowhere.toml"], 64, "/nowhere.toml"),
    ];
    for (arguments, code, named) in table {
        let ended = cli::run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn every_command_refuses_a_bad_configuration() {
    for command in
        [&["serve"][..], &[], &["key", "list"], &["user", "list"], &["healthcheck"], &["config", "print"]]
    {
        let arguments = command.iter().copied().chain(["--set", "newsroom.timezone=Mars/Olympus"]);
        let ended = cli::run(arguments);
        assert_eq!(ended.code, 64, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains("newsroom.timezone"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_configured_comes_from_four_layers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "[codes]\nlength = 8\n[newsroom]\nname = \"File\"\nlanguage = \"de\"\n").unwrap();
    let secret = dir.path().join("name");
    std::fs::write(&secret, "From a file\n").unwrap();
    let environment = [
        ("SLUGLINE__NEWSROOM__NAME_FILE", secret.to_str().unwrap()),
        ("SLUGLINE__CODES__LENGTH", "9"),
        ("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
    ];
    let arguments = ["config", "print", "--config", file.to_str().unwrap(), "--set", "codes.length=10"];
    let printed = cli::run_with(arguments, &environment, "").done();
    let printed: toml::Table = printed.parse().unwrap();
    assert_eq!(printed["codes"]["length"].as_integer(), Some(10), "flags win");
    assert_eq!(printed["newsroom"]["name"].as_str(), Some("From a file"), "the environment is over the file");
    assert_eq!(printed["newsroom"]["language"].as_str(), Some("de"), "the file is over the defaults");
    assert_eq!(printed["clients"]["trusted_proxies"].as_array().unwrap().len(), 2);
    assert_eq!(printed["server"]["listen"].as_str(), Some("127.0.0.1:8080"));
    assert_eq!(printed["server"]["ops_listen"].as_str(), Some("127.0.0.1:9090"));
}

#[test]
fn what_is_printed_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let first = cli::run(["config", "print", "--set", "codes.length=9", "--set", "log.format=json"]).done();
    let file = dir.path().join("printed.toml");
    std::fs::write(&file, &first).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(cli::run(["config", "check", "--config", file]).code, 0);
    assert_eq!(cli::run(["config", "print", "--config", file]).done(), first);
}

#[test]
fn keys_at_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let key = cli::on(dir.path(), &["key", "create", "the CMS", "--role", "creator"]).done();
    assert!(key.starts_with("slk_") && key.trim().lines().count() == 1, "the key alone: {key}");
    let id = key.split('_').nth(1).unwrap();
    let listed = cli::on(dir.path(), &["key", "list"]).done();
    let line = listed.lines().find(|l| l.contains(id)).unwrap();
    assert!(line.contains("creator") && line.contains("the CMS") && line.contains("valid"), "{line}");
    assert!(!listed.contains(key.trim().rsplit('_').next().unwrap()), "a list has no secret");
    cli::on(dir.path(), &["key", "revoke", id]).done();
    cli::on(dir.path(), &["key", "revoke", id]).done();
    assert!(cli::on(dir.path(), &["key", "list"]).done().contains("revoked"));
}

#[tokio::test]
async fn the_apis_description_is_the_servers() {
    let app = TestApp::start().await;
    let printed: Value = serde_json::from_str(&cli::run(["openapi"]).done()).unwrap();
    assert_eq!(app.http.get("/openapi.json").await.expect(200).json(), printed);
    assert!(printed["openapi"].as_str().unwrap().starts_with("3.1"), "{}", printed["openapi"]);
    for call in [
        "/api/v1/links",
        "/api/v1/links/{code}",
        "/api/v1/links/batch",
        "/api/v1/reports/top",
        "/api/v1/keys",
    ] {
        assert!(printed["paths"][call].is_object(), "{call}");
    }
}

#[test]
fn manual_and_completions() {
    let manual = cli::run(["man"]).done();
    assert!(manual.contains(".TH") && manual.contains("healthcheck"), "{manual}");
    for shell in ["bash", "zsh", "fish"] {
        let completions = cli::run(["completions", shell]).done();
        assert!(completions.contains("healthcheck") && completions.contains("slugline"), "{shell}");
    }
    assert_eq!(cli::run(["completions", "abacus"]).code, 2);
    let help = cli::run(["--help"]).done();
    for command in ["serve", "config", "key", "user", "healthcheck", "openapi", "completions", "man"] {
        assert!(help.contains(command), "{command}");
    }
}

#[tokio::test]
async fn a_health_check() {
    let app = TestApp::start().await;
    let ops = format!("server.ops_listen={}", app.ops.address());
    let good = cli::run(["healthcheck", "--set", &ops]).done();
    assert_eq!(serde_json::from_str::<Value>(&good).unwrap()["status"], "ready");
    app.stop().await;
    let ended = cli::run(["healthcheck", "--set", &ops]);
    assert_eq!(ended.code, 1, "{ended:?}");
}
