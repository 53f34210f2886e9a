//! Settings and those who run it: what they give wins, what staff gave survives everything, and what cannot be keeps
//! nothing from starting.

use rustix::process::Signal;
use slugline::config::Config;

use super::{item, reasons, set};
use crate::harness::{BROWSER, Program, TestApp, cli, eventually, json};

#[tokio::test]
async fn what_file_and_flags_give_is_locked() {
    let file = "[links]\ndenied_hosts = [\"evil.example\"]\n[articles.sites]\ndaily = [\"daily.example\"]\n\
                [links.channels.mail]\nutm_source = \"mail\"\n";
    let program = Program::start_on(file, &["newsroom.name=The Daily"]).await;
    let denied = item(&program, "links.denied_hosts").await;
    assert_eq!((&denied["locked"], &denied["source"]), (&json!(true), &json!("file")));
    assert!(denied["given_in"].as_str().unwrap().ends_with(".toml"), "{denied}");
    assert_eq!((&denied["value"], &denied["default"]), (&json!(["evil.example"]), &json!([])));
    assert_eq!(item(&program, "articles.sites").await["locked"], true, "a part of it is given");
    let name = item(&program, "newsroom.name").await;
    assert_eq!((&name["source"], &name["value"]), (&json!("flag"), &json!("The Daily")));
    assert_eq!(name["given_in"], "--set newsroom.name");
    let mail = &program.all("/channels").await[0];
    assert_eq!((&mail["source"], &mail["locked"]), (&json!("file"), &json!(true)));
    assert!(mail["given_in"].as_str().unwrap().ends_with(".toml"));
    let viewer = program.as_role("viewer").await.all("/channels").await;
    assert_eq!(
        (&viewer[0]["locked"], &viewer[0]["given_in"]),
        (&json!(true), &json!(null)),
        "not for everybody"
    );
    for name in ["links.denied_hosts", "articles.sites", "newsroom.name"] {
        let body = json!({ "name": name, "value": item(&program, name).await["value"] });
        program.post("/settings", &body).await.expect_problem(409, "conflict", Some("name"));
        let body = json!({ "value": body["value"], "version": 0 });
        let refused = program.patch(&format!("/settings/{name}"), &body).await;
        refused.expect_problem(409, "conflict", Some("name"));
        program.delete(&format!("/settings/{name}")).await.expect_problem(409, "conflict", Some("name"));
    }
}

#[tokio::test]
async fn what_a_variable_gives_is_locked() {
    let variable = ("SLUGLINE__LINKS__DENIED_HOSTS".to_owned(), "evil.example".to_owned());
    let given = Config::load(None, std::iter::once(variable), &[]).unwrap();
    let app = TestApp::start_with(|config| {
        config.explicit = given.explicit;
        config.links.denied_hosts = given.links.denied_hosts;
    })
    .await;
    let denied = item(&app, "links.denied_hosts").await;
    assert_eq!((&denied["locked"], &denied["source"]), (&json!(true), &json!("environment")));
    assert_eq!(denied["given_in"], "SLUGLINE__LINKS__DENIED_HOSTS");
    let body = json!({ "name": "links.denied_hosts", "value": [] });
    app.post("/settings", &body).await.expect_problem(409, "conflict", Some("name"));
}

#[tokio::test]
async fn a_hangup_and_settings_go_the_same_way() {
    let program = Program::start_on("", &[]).await;
    set(&program, "newsroom.name", json!("Of Staff")).await;
    let shows = async |name: &'static str| {
        eventually(name, async || program.http.get("/unknown").await.text().contains(name).then_some(()))
            .await;
    };
    shows("Of Staff").await;
    program.configure("[newsroom]\nname = \"Of Operators\"\n[links]\ndenied_hosts = [\"evil.example\"]\n");
    program.signal(Signal::HUP);
    shows("Of Operators").await;
    let name = item(&program, "newsroom.name").await;
    assert_eq!((&name["source"], &name["version"]), (&json!("file"), &json!(1)), "what staff said is kept");
    let evil = json!({ "url": "https://evil.example/a" });
    program.post("/links", &evil).await.expect_problem(422, "denied_host", Some("url"));
    program.configure("");
    program.signal(Signal::HUP);
    shows("Of Staff").await;
    program.post("/links", &evil).await.expect(201);
}

#[tokio::test]
async fn settings_survive_a_kill_and_count_for_commands() {
    let mut program = Program::start_on("", &[]).await;
    set(&program, "links.denied_hosts", json!(["bad.example"])).await;
    set(&program, "clients.excluded_agents", json!(["chrome/142"])).await;
    program.post("/channels", &json!({ "name": "x", "utm_source": "x" })).await.expect(201);
    let code = program.shorten("https://news.example.com/a").await;
    assert!(BROWSER.to_ascii_lowercase().contains("chrome/142"));
    program.follow_times(&code, 3).await;
    assert_eq!(program.totals(&code).await, (0, 0, 3));
    let before = program.all("/settings").await;
    program.signal(Signal::KILL);
    program.ended();
    program.restart().await;
    assert_eq!(program.all("/settings").await, before);
    assert_eq!(program.all("/channels").await.len(), 1);
    let bad = json!({ "url": "https://bad.example/a" });
    program.post("/links", &bad).await.expect_problem(422, "denied_host", Some("url"));
    program.follow_times(&code, 2).await;
    // Not counted yet, or it is: whoever counts does it by the same tables.
    program.signal(Signal::KILL);
    program.ended();
    let data = format!("data.dir={}", program.data().display());
    let file = program.data().join("all.jsonl");
    cli::run(["export", file.to_str().unwrap(), "--set", &data]).done();
    let said = cli::run(["verify", "--set", &data]).done();
    assert!(said.contains("everything adds up") && said.contains("5 hits"), "{said}");

    let to = tempfile::tempdir().unwrap();
    let data = format!("data.dir={}", to.path().join("data").display());
    cli::run(["import", file.to_str().unwrap(), "--set", &data]).done();
    let again = to.path().join("again.jsonl");
    cli::run(["export", again.to_str().unwrap(), "--set", &data]).done();
    let kept = |file: &std::path::Path| -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let of =
            |line: &&str| ["setting", "channel"].iter().any(|k| line.contains(&format!("\"kind\":\"{k}\"")));
        text.lines().filter(of).map(str::to_owned).collect()
    };
    assert_eq!((kept(&file).len(), kept(&file)), (3, kept(&again)));
}

#[tokio::test]
async fn what_cannot_be_keeps_nothing_from_starting() {
    let app = TestApp::start().await;
    set(&app, "newsroom.home", json!("https://post.example/")).await;
    set(&app, "newsroom.name", json!("Die Post")).await;
    app.post("/channels", &json!({ "name": "x", "utm_source": "x" })).await.expect(201);
    let links = app.data().join("links.db");
    let (dir, key) = app.stop().await;
    let conn = rusqlite::Connection::open(links).unwrap();
    let broken = [
        ("UPDATE documents SET value = '\"javascript:alert(1)\"' WHERE name = 'newsroom.home'", 1),
        ("UPDATE documents SET value = '{\"source\":\"x\"}' WHERE name = 'x'", 1),
        ("INSERT INTO documents VALUES ('setting', 'of.another.version', '[1]', 1, 0, 'cli')", 1),
    ];
    for (sql, rows) in broken {
        assert_eq!(conn.execute(sql, []).unwrap(), rows);
    }
    drop(conn);
    let app = TestApp::start_in(dir, Some(key), |_| {}).await;
    assert!(app.http.get("/unknown").await.text().contains("Die Post"), "the others hold");
    assert_eq!(app.http.get("/").await.location(), "/-/");
    assert_eq!(reasons(&app.ops).await, ["setting_left_out"]);
    let home = item(&app, "newsroom.home").await;
    assert_eq!(
        (&home["source"], &home["value"], &home["version"]),
        (&json!("default"), &json!(""), &json!(1))
    );
    assert!(home["problem"].as_str().unwrap().contains("newsroom.home"), "{home}");
    let x = &app.all("/channels").await[0];
    assert!(x["problem"].as_str().unwrap().contains("utm_"), "{x}");
    // They can be mended.
    set(&app, "newsroom.home", json!("https://post.example/")).await;
    app.delete("/channels/x").await.expect(204);
    assert_eq!(app.http.get("/").await.location(), "https://post.example/");
    assert_eq!(item(&app, "newsroom.home").await["problem"], json!(null));
}
