//! Servers that are away, hang, refuse; processes that die: each digest comes, and once.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mail_parser::MessageParser;
use rustix::process::Signal;

use super::is_due;
use crate::harness::smtp::{Mail, Mood, Smtp, configure};
use crate::harness::{Program, TestApp, eventually};
use crate::pages::forms::get;
use crate::sessions::browser::{Browser, add_user};

fn id(mail: &Mail) -> String {
    MessageParser::default().parse(&mail.data).unwrap().message_id().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_that_is_away_gets_it_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let app = TestApp::start_with(|config| {
        configure(config, address.port());
        config.mail.retry_after = vec![slugline::units::Span(Duration::from_millis(20)); 20];
    })
    .await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    is_due(&app.config, "Maria", "maria@post.example").await;
    let tried = "slugline_digests_total{outcome=\"again\"}";
    eventually("it was tried in vain", async || {
        let metrics = app.ops.get("/metrics").await.text();
        let line = metrics.lines().find(|line| line.starts_with(tried))?;
        (!line.ends_with(" 0")).then_some(())
    })
    .await;
    get(&admin, "/-/me").await.expect(200);
    let smtp = Smtp::on(TcpListener::bind(address).unwrap(), Mood::HangsUp);
    eventually("it was hung up on", async || (smtp.connections() > 0).then_some(())).await;
    smtp.set(Mood::Good);
    let mails = smtp.wait(1).await;
    assert_eq!(mails[0].to, ["maria@post.example"]);
    eventually("the page says so", async || {
        get(&admin, "/-/me").await.text().contains("The last one was sent").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_nobody() {
    let smtp = Smtp::start(Mood::Hangs);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    is_due(&app.config, "Maria", "maria@post.example").await;
    eventually("it was asked", async || (smtp.connections() > 0).then_some(())).await;
    let began = Instant::now();
    get(&admin, "/-/me").await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    smtp.set(Mood::Good);
    assert_eq!(smtp.wait(1).await.len(), 1);
    // It ends in order while one hangs.
    smtp.set(Mood::Hangs);
    add_user(&app, "Ana", "viewer").await;
    let before = smtp.connections();
    is_due(&app.config, "Ana", "ana@post.example").await;
    eventually("it was asked", async || (smtp.connections() > before).then_some(())).await;
    app.stop().await;
}

#[tokio::test]
async fn an_address_that_is_refused_is_given_up_and_the_others_get_theirs() {
    let smtp = Smtp::start(Mood::Refuses(550));
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    add_user(&app, "Ana", "viewer").await;
    is_due(&app.config, "Ana", "ana@post.example").await;
    eventually("it was given up", async || {
        let text = get(&admin, "/-/settings/digests").await.text();
        text.contains("given up").then_some(text)
    })
    .await;
    assert_eq!(smtp.connections(), 1, "a refusal for good is not asked again");
    smtp.set(Mood::Good);
    is_due(&app.config, "Maria", "maria@post.example").await;
    assert_eq!(smtp.wait(1).await[0].to, ["maria@post.example"]);
}

#[tokio::test]
async fn through_kills_a_digest_comes_and_not_again_and_no_address_is_logged() {
    let smtp = Smtp::start(Mood::HangsAtTheEnd);
    let options = smtp.options();
    // Long enough that it is the kill which cuts it short.
    let options: Vec<&str> = options.iter().map(String::as_str).chain(["mail.deadline=60s"]).collect();
    let mut program = Program::start_with(&options).await;
    add_user(&program, "Ana", "viewer").await;
    let mut config = crate::harness::app::test_config(program.data().parent().unwrap());
    config.data.dir = program.data();
    is_due(&config, "Ana", "ana@post.example").await;
    let first = id(&smtp.wait(1).await[0]);
    // The server took it, and the process never heard so.
    program.signal(Signal::KILL);
    program.ended();
    smtp.set(Mood::Good);
    program.restart().await;
    let mails = smtp.wait(2).await;
    assert_eq!(id(&mails[1]), first, "who gets it twice sees that it is the same");
    eventually("it is noted", async || {
        program.stderr().iter().any(|line| line.contains("a digest was sent")).then_some(())
    })
    .await;
    let log = program.stderr().join("\n");
    assert!(!log.contains("ana@post.example"), "{log}");
    program.signal(Signal::KILL);
    program.ended();
    program.restart().await;
    // Whoever is asked next shows that the sender has looked again.
    add_user(&program, "Zoe", "viewer").await;
    is_due(&config, "Zoe", "zoe@post.example").await;
    let mails = smtp.wait(3).await;
    assert_eq!(mails[2].to, ["zoe@post.example"], "Ana's came once");
    assert_eq!(mails.len(), 3);
}
