//! The connection: calls end in time whatever the server does, and it is found again wherever it goes.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use redis::Value;
use slugline::store::redis::conn::{Conn, Script, read};
use slugline::store::{Error, Result};

use super::proxy::{Fault, Proxy};
use super::servers::{SLACK, Standalone};
use crate::harness::eventually;

/// Adds to a number and gives it.
static ADD: LazyLock<Script> =
    LazyLock::new(|| Script::new("#!lua\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])"));

pub fn get(key: &str) -> redis::Cmd {
    let mut cmd = redis::cmd("GET");
    cmd.arg(key);
    cmd
}

pub fn set(key: &str, value: &str) -> redis::Cmd {
    let mut cmd = redis::cmd("SET");
    cmd.arg(key).arg(value);
    cmd
}

pub async fn add(conn: &Conn, key: &str, n: u64) -> Result<u64> {
    read(conn.run(&ADD, &[key.into()], &[n.to_string().into_bytes()]).await?)
}

fn unavailable(done: Result<Value>) -> String {
    match done {
        Err(Error::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn asks_runs_and_is_told() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    conn.ask(set("a", "1")).await.unwrap();
    assert_eq!(read::<u64>(conn.ask(get("a")).await.unwrap()).unwrap(), 1);
    let many = (0..1_200).map(|n| set(&format!("k{n}"), &n.to_string())).collect();
    conn.ask_all(many).await.unwrap();
    let answers = conn.ask_all((0..1_200).map(|n| get(&format!("k{n}"))).collect()).await.unwrap();
    let answers: Vec<u32> = answers.into_iter().map(|answer| read(answer).unwrap()).collect();
    assert!(answers.into_iter().eq(0..1_200));
    // A script is known from its first run on, and again after the server forgot it.
    assert_eq!(add(&conn, "n", 2).await.unwrap(), 2);
    server.ask(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(add(&conn, "n", 3).await.unwrap(), 5);
    // What the server refuses is an error, and the connection stands.
    assert!(unavailable(conn.ask(redis::cmd("NONSENSE")).await).contains("NONSENSE"));
    assert!(conn.ask_all(vec![get("a"), redis::cmd("NONSENSE"), get("a")]).await.is_err());
    conn.ask(get("a")).await.unwrap();
    conn.close().await;
    assert!(matches!(conn.ask(get("a")).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn calls_come_from_any_runtime() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    server.restart().await;
    // The applier's: it has no network of its own, and the connection has to be made again.
    let of_applier = conn.clone();
    let applier = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(eventually("it answers", async || of_applier.ask(set("a", "1")).await.ok()))
    });
    eventually("the applier is served", async || applier.is_finished().then_some(())).await;
    applier.join().unwrap();
    assert_eq!(server.say(&["GET", "a"]).await, "1");
    conn.close().await;
}

#[tokio::test]
async fn messages_come_and_gaps_are_told() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    let mut messages = conn.subscribe("news").await.unwrap();
    assert_eq!(messages.recv().await.unwrap(), None, "what was said before was missed");
    server.ask(&["PUBLISH", "news", "one"]).await;
    assert_eq!(messages.recv().await.unwrap().as_deref(), Some(&b"one"[..]));
    server.restart().await;
    assert_eq!(messages.recv().await.unwrap(), None);
    server.ask(&["PUBLISH", "news", "two"]).await;
    assert_eq!(messages.recv().await.unwrap().as_deref(), Some(&b"two"[..]));
    conn.close().await;
    assert_eq!(messages.recv().await, None, "it ends with the connection");
}

#[tokio::test]
async fn a_server_that_is_away_is_found_when_it_comes() {
    let server = Standalone::start(&[]).await;
    server.kill();
    let conn = Conn::open(&server.settings()).await.unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        assert!(unavailable(conn.ask(get("a")).await).contains("away"));
    }
    let one = server.settings().timeout.0;
    assert!(began.elapsed() < one, "not one of them waited: {:?}", began.elapsed());
    server.restart().await;
    eventually("the server is found", async || conn.ask(get("a")).await.ok()).await;
    // One that was lost while nobody called is found without an error.
    server.restart().await;
    eventually("the server is found again", async || conn.ask(get("a")).await.ok()).await;
    conn.close().await;
}

#[tokio::test]
async fn a_frozen_server_holds_nobody_up() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    conn.ask(get("a")).await.unwrap();
    server.freeze();
    let limit = server.settings().timeout.0 + SLACK;
    let took = async |conn: Conn| {
        let began = Instant::now();
        unavailable(conn.ask(get("a")).await);
        began.elapsed()
    };
    let all = futures_util::future::join_all((0..50).map(|_| took(conn.clone()))).await;
    assert!(all.iter().all(|took| *took < limit), "{all:?}");
    let short = conn.within(Duration::from_millis(100));
    eventually("it is known to be down", async || {
        (took(short.clone()).await < Duration::from_millis(50)).then_some(())
    })
    .await;
    server.thaw();
    eventually("it answers again", async || conn.ask(get("a")).await.ok()).await;
    conn.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_said() {
    let mut server = Standalone::start(&["user slugline on >hunter2 ~* &* +@all", "user default off"]).await;
    server.sign_in("slugline", "hunter2");
    let mut settings = server.settings();
    settings.username = "slugline".into();
    settings.password = slugline::secret::Secret::new("wrong");
    let conn = Conn::open(&settings).await.unwrap();
    let why = unavailable(conn.ask(get("a")).await);
    assert!(why.contains("authentication failed") && !why.contains("wrong"), "{why}");
    conn.close().await;
    settings.password = slugline::secret::Secret::new("hunter2");
    let conn = Conn::open(&settings).await.unwrap();
    conn.ask(set("a", "1")).await.unwrap();
    conn.close().await;
}

/// A way to a server through a proxy.
async fn proxied(server: &Standalone) -> (Proxy, Conn) {
    let proxy = Proxy::start(&server.address());
    let conn = Conn::open(&server.settings_at(&proxy.address())).await.unwrap();
    (proxy, conn)
}

fn is_script(words: &[Vec<u8>]) -> bool {
    words[0].starts_with(b"EVAL")
}

#[tokio::test]
async fn a_dropped_reply_is_an_error_and_the_command_is_done() {
    let server = Standalone::start(&[]).await;
    let (proxy, conn) = proxied(&server).await;
    add(&conn, "n", 1).await.unwrap();
    for n in 1..20 {
        proxy.plan(Fault::DropReply, 1, is_script);
        assert!(matches!(add(&conn, "n", 1).await, Err(Error::Unavailable(_))));
        assert_eq!(proxy.struck(), n, "it was not sent again");
        assert_eq!(server.say(&["GET", "n"]).await, (n + 1).to_string());
    }
    // What may be done twice is sent again, and nobody sees a fault.
    for _ in 0..20 {
        proxy.plan(Fault::DropReply, 1, |words| words[0] == b"GET");
        conn.ask(get("n")).await.unwrap();
    }
    conn.close().await;
}

#[tokio::test]
async fn a_held_command_comes_late() {
    let server = Standalone::start(&[]).await;
    let (mut proxy, conn) = proxied(&server).await;
    add(&conn, "n", 1).await.unwrap();
    proxy.plan(Fault::Hold, 1, is_script);
    assert!(add(&conn, "n", 10).await.is_err());
    assert_eq!(add(&conn, "n", 100).await.unwrap(), 101);
    assert_eq!(proxy.deliver().await, 1);
    assert_eq!(server.say(&["GET", "n"]).await, "111");
    conn.close().await;
}

#[tokio::test]
async fn bad_lines_are_survived() {
    let server = Standalone::start(&[]).await;
    let (proxy, conn) = proxied(&server).await;
    proxy.split(true);
    assert_eq!(add(&conn, "n", 1).await.unwrap(), 1);
    conn.ask_all((0..50).map(|n| set(&format!("k{n}"), "v")).collect()).await.unwrap();
    proxy.split(false);
    for _ in 0..10 {
        proxy.cut();
        eventually("the connection is made again", async || conn.ask(get("n")).await.ok()).await;
    }
    proxy.stall(true);
    let limit = server.settings().timeout.0 + SLACK;
    let began = Instant::now();
    unavailable(conn.ask(get("n")).await);
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
    proxy.stall(false);
    eventually("it goes on", async || conn.ask(get("n")).await.ok()).await;
    proxy.away(true);
    eventually("it is known to be away", async || conn.ask(get("n")).await.err()).await;
    proxy.away(false);
    eventually("it is found again", async || conn.ask(get("n")).await.ok()).await;
    conn.close().await;
}
