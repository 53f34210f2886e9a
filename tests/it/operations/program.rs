//! The real program: first start, second start, signals, and what is in its way.

use rustix::process::Signal;

use crate::harness::{Program, TestApp, cli, eventually, json};

#[tokio::test]
async fn the_first_start_prints_a_key_once_and_the_second_none() {
    let mut program = Program::start().await;
    let keys = |lines: Vec<String>| lines.iter().filter(|l| l.contains("slk_")).count();
    assert_eq!(keys(program.stdout()), 1);
    assert_eq!(keys(program.stderr()), 0, "no secret is logged");
    let link = program.create(json!({ "url": "https://news.example.com/a", "code": "kx7" })).await;
    assert_eq!(link["short_url"], format!("http://{}/kx7", program.http.address()));
    assert_eq!(program.terminate(), Some(0));
    program.restart().await;
    assert_eq!(keys(program.stdout()), 0);
    assert_eq!(program.follow("kx7").await.expect(302).location(), "https://news.example.com/a");
    assert_eq!(program.link("kx7").await["created_by"], format!("key:{}", program.key_id()));
}

#[tokio::test]
async fn what_was_answered_is_counted_after_a_stop() {
    let mut program = Program::start_with(&["hits.apply_interval=60s", "hits.watch_for=0s"]).await;
    let code = program.shorten("https://news.example.com/a").await;
    program.follow_times(&code, 300).await;
    assert_eq!(program.terminate(), Some(0));
    assert!(program.stderr().iter().any(|l| l.contains("stopping")), "{:#?}", program.stderr());
    program.restart_with(&[]).await;
    assert_eq!(program.totals(&code).await, (300, 0, 0));
}

#[tokio::test]
async fn a_stop_under_load_loses_and_invents_nothing() {
    let mut program = Program::start().await;
    let code = program.shorten("https://news.example.com/a").await;
    let followers = (0..4).map(|_| {
        let (api, code) = (program.api.clone(), code.clone());
        async move {
            let (mut answered, mut unknown) = (0_u64, 0_u64);
            loop {
                let call = api.http.call(http::Method::GET, &format!("/{code}"));
                match call.header("user-agent", crate::harness::BROWSER).try_send().await {
                    Ok(answer) => {
                        assert_eq!(answer.status, 302);
                        answered += 1;
                    }
                    Err(_) => {
                        unknown += 1;
                        return (answered, unknown);
                    }
                }
            }
        }
    });
    let mut running = tokio::task::JoinSet::new();
    followers.for_each(|follower| drop(running.spawn(follower)));
    eventually("they are under way", async || {
        let numbers = program.report("summary").await;
        (numbers["clicks"].as_u64().unwrap() > 200).then_some(())
    })
    .await;
    program.signal(Signal::TERM);
    let counts = running.join_all().await;
    assert_eq!(program.ended(), Some(0));
    let (answered, unknown) = counts.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    program.restart().await;
    let (clicks, ..) = program.totals(&code).await;
    assert!(
        (answered..=answered + unknown).contains(&clicks),
        "{answered} <= {clicks} <= {answered} + {unknown}"
    );
}

#[tokio::test]
async fn both_signals_stop_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start().await;
        program.signal(signal);
        assert_eq!(program.ended(), Some(0), "{signal:?}");
    }
}

#[tokio::test]
async fn lists_are_read_again_on_hangup() {
    let program = Program::start_on("", &[]).await;
    let body = |i: usize| json!({ "url": format!("https://evil.example/{i}") });
    program.create(body(0)).await;
    program.configure("[links]\ndenied_hosts = [\"evil.example\"]\n");
    program.signal(Signal::HUP);
    eventually("the list is read again", async || {
        let answer = program.post("/links", &body(1)).await;
        let denied = answer.status == 422;
        if denied {
            answer.expect_problem(422, "denied_host", Some("url"));
        }
        denied.then_some(())
    })
    .await;
    // A file that cannot be changes nothing.
    program.configure("[links]\ndenied_hosts = 5\n");
    program.signal(Signal::HUP);
    eventually("it says so", async || {
        program.stderr().iter().any(|l| l.contains("links.denied_hosts")).then_some(())
    })
    .await;
    program.post("/links", &body(2)).await.expect_problem(422, "denied_host", Some("url"));
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_told_who_has_it() {
    let program = Program::start().await;
    let data = format!("data.dir={}", program.data().display());
    let free = ["--set", "server.listen=127.0.0.1:0", "--set", "server.ops_listen=127.0.0.1:0"];
    let ended = cli::run(["serve", "--set", &data].into_iter().chain(free));
    assert_eq!(ended.code, 1, "{ended:?}");
    let holder = format!("slugline serve (process {})", program.id());
    assert!(
        ended.stderr.contains(&holder) && ended.stderr.contains(&*program.data().to_string_lossy()),
        "{ended:?}"
    );
    program.ready().await;
}

#[tokio::test]
async fn a_killed_server_is_in_nobodys_way() {
    let mut program = Program::start().await;
    let code = program.shorten("https://news.example.com/a").await;
    program.follow_times(&code, 50).await;
    program.kill();
    program.restart().await;
    assert_eq!(program.totals(&code).await, (50, 0, 0));
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = format!("data.dir={}", dir.path().join("data").display());
    for (key, address) in [("server.listen", app.http.address()), ("server.ops_listen", app.ops.address())] {
        let other = if key == "server.listen" { "server.ops_listen" } else { "server.listen" };
        let (taken, free) = (format!("{key}={address}"), format!("{other}=127.0.0.1:0"));
        let ended = cli::run(["serve", "--set", &data, "--set", &taken, "--set", &free]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(&address.to_string()) && ended.stderr.contains(key), "{ended:?}");
    }
    let file = dir.path().join("a file");
    std::fs::write(&file, "not a folder").unwrap();
    let data = format!("data.dir={}", file.display());
    for command in [&["serve"][..], &[], &["key", "list"]] {
        let ended = cli::run(command.iter().copied().chain(["--set", &data]));
        assert_eq!(ended.code, 1, "{command:?}: {ended:?}");
        assert!(ended.stderr.contains(file.to_str().unwrap()), "{command:?}: {ended:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a folder");
}
