//! Several nodes on one Redis: each digest is sent once, and another node goes on when the one that sends has gone.

use std::sync::Arc;

use slugline::config::Config;
use slugline::store::settings::Kind;

use super::is_due;
use crate::harness::TestApp;
use crate::harness::smtp::{Mood, Smtp};
use crate::redis::servers::Standalone;
use crate::sessions::browser::add_user;

fn over(server: &Standalone, smtp: &Smtp) -> impl FnOnce(&mut Config) + use<> {
    let (settings, smtp) = (server.settings(), smtp.clone());
    move |config| {
        smtp.configure(config);
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    }
}

fn to(smtp: &Smtp) -> Vec<String> {
    let mut to: Vec<String> = smtp.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_digest_is_sent_once_by_one_of_two() {
    let (server, smtp) = (Standalone::start(&[]).await, Smtp::start(Mood::Good));
    let first = TestApp::start_with(over(&server, &smtp)).await;
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let second = TestApp::start_in(dir, Some(first.key.clone()), over(&server, &smtp)).await;
    for name in ["Ana", "Vera", "Zoe"] {
        add_user(&first, name, "viewer").await;
    }
    is_due(&first.config, "Ana", "ana@post.example").await;
    is_due(&second.config, "Vera", "vera@post.example").await;
    smtp.wait(2).await;
    let first = first.stop().await;
    is_due(&second.config, "Zoe", "zoe@post.example").await;
    smtp.wait(3).await;
    assert_eq!(to(&smtp), ["ana@post.example", "vera@post.example", "zoe@post.example"]);
    drop(first);
}
