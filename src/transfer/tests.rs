//! A filled store for tests of moving, and backups taken while hits come in.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::clock;
use crate::domain::access::Role;
use crate::domain::tally::{Batch, StreamId};
use crate::hits::journal::Journal;
use crate::hits::verify::tests::{Busy, House, LANES, append, block_on, silent, verified};
use crate::store::accounts::{Key, User};
use crate::store::conformance::webhooks::webhook;
use crate::store::conformance::{Random, at};
use crate::store::documents::{DocumentChange, DocumentChanged, DocumentKind};
use crate::store::webhooks::{Disabled, Webhook};
use crate::store::{Backend, Store};

pub(super) async fn exported(store: &Store) -> String {
    let mut out = vec![];
    export(store, &mut out, &silent, at(1_000)).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Fills a new store in a folder with some of everything, closes it, and gives its export.
pub(super) async fn filled(dir: &Path) -> String {
    let mut house = House::open(dir, 1).await;
    house.furnish().await;
    let accounts = &house.store.accounts;
    let key = Key {
        id: "k1".into(),
        name: "CMS".into(),
        role: Role::Creator,
        hash: [7; 32],
        created_at: at(3),
        created_by: "cli".into(),
        expires_at: Some(at(9_000)),
        revoked_at: None,
    };
    assert!(accounts.add_key(key).await.unwrap());
    let user = User {
        name: "Ada".into(),
        role: Role::Editor,
        password: Some("$argon2id$v=19$x".into()),
        created_at: at(4),
        created_by: "cli".into(),
        disabled_at: Some(at(5)),
    };
    assert!(accounts.add_user(user).await.unwrap());
    for (kind, name, value) in [
        (DocumentKind::Setting, "newsroom.name", json!("Post")),
        (DocumentKind::Channel, "x", json!({ "utm_source": "x" })),
    ] {
        let (name, value, by) = (name.to_owned(), Some(value), "key:k1".to_owned());
        let change = DocumentChange { kind, name, value, seen: None, by, at: at(6) };
        assert_eq!(house.store.documents.change_document(change).await.unwrap(), DocumentChanged::Done(1));
    }
    assert!(house.store.webhooks.add(webhook("w1", 6)).await.unwrap());
    let disabled = Some(Disabled { at: at(8), why: "it answered 410".into() });
    let other = Webhook { version: 2, disabled, ..webhook("w2", 7) };
    house.store.webhooks.import(vec![other]).await.unwrap();
    house.hit(700, 0);
    house.applier.settle().await.unwrap();
    for (lane, lost) in [(0, 2), (1, 1), (LANES, 3)] {
        let stream = StreamId(77);
        let batch =
            Batch { stream, stream_began_ms: 5, lane, from: 0, to: lost, lost, groups: vec![].into() };
        house.store.tallies.apply(&batch).await.unwrap();
    }
    let text = exported(&house.store).await;
    assert_eq!(text, exported(&house.store).await, "the same twice");
    house.close().await;
    text
}

#[test]
fn an_export_is_settled_or_says_so() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let text = filled(dir.path()).await;
        let house = House::open(dir.path(), 2).await;
        let said = export(&house.store, &mut std::io::sink(), &silent, at(1_000)).await.unwrap();
        assert!(said.settled);
        assert_eq!(said.lines.all(), u64::try_from(text.lines().count()).unwrap());
        // Over all streams, lane by lane: ordinals = tallies + lost.
        let of = |line: &str, field: &str| -> Vec<u64> {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value[field].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
        };
        let (mut ordinals, mut lost) = (0, 0);
        for line in text.lines().filter(|line| line.contains("\"kind\":\"stream\"")) {
            ordinals += of(line, "ordinals")[2];
            lost += of(line, "lost").get(2).unwrap_or(&0);
        }
        assert_eq!((ordinals, lost), (703, 3));
        let stream = StreamId(78);
        let batch =
            Batch { stream, stream_began_ms: 5, lane: 0, from: 0, to: 1, lost: 1, groups: vec![].into() };
        house.store.tallies.apply(&batch).await.unwrap();
        assert!(!export(&house.store, &mut std::io::sink(), &silent, at(1_000)).await.unwrap().settled);
        house.close().await;
    });
}

/// What a restored folder counts in the end, lost hits included.
async fn counted_after(dir: &Path, stream: u64) -> (u64, u64) {
    let mut house = House::open(dir, stream).await;
    house.applier.settle().await.unwrap();
    let audit = house.store.tallies.audit().await.unwrap();
    assert!(audit.iter().all(crate::store::tallies::LaneAudit::holds), "{audit:?}");
    let report = verified(&house.store, dir).await;
    assert_eq!(report.disagreements, []);
    let (site, lanes) = audit.split_last().unwrap();
    let links: u64 = lanes.iter().map(|lane| lane.tallies + lane.lost).sum();
    assert_eq!(links, site.tallies + site.lost, "every hit in its lane and in the site's: {audit:?}");
    let sums = (site.tallies, site.lost);
    house.close().await;
    sums
}

#[test]
fn a_backup_beside_a_busy_server_has_every_hit() {
    for releasing in [false, true] {
        block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let house = House::open(dir.path(), 1).await;
            house.furnish().await;
            let (store, journal) = (house.store.clone(), Arc::clone(&house.journal));
            let busy = Busy::with(house, releasing);
            for round in 0..4_u64 {
                busy.go(60);
                let (kept, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                let before = *journal.ordinals().last().unwrap();
                let folder = dir.path().join("journal");
                let manifest =
                    backup(&store, dir.path(), &folder, kept.path(), &silent, clock::now()).await.unwrap();
                let after = *journal.ordinals().last().unwrap();
                let data = new.path().join("data");
                assert_eq!(restore(kept.path(), &data, &silent).unwrap(), manifest);
                assert_eq!(unfinished(&data).unwrap(), None);
                let (tallies, lost) = counted_after(&data, 100 + round).await;
                assert!(
                    tallies + lost >= before && tallies + lost <= after,
                    "{tallies} {lost} {before} {after}"
                );
                assert!(lost <= manifest.missing, "{lost} {}", manifest.missing);
                if !releasing {
                    assert_eq!((lost, manifest.missing), (0, 0));
                }
                // What was restored and counted is not counted again.
                assert_eq!(counted_after(&data, 200 + round).await, (tallies, lost));
            }
            busy.stop().await.close().await;
        });
    }
}

/// A store on which hits come in just before its files are copied.
struct Late {
    journal: Arc<Journal>,
    backend: Arc<dyn Backend>,
}

#[async_trait::async_trait]
impl Backend for Late {
    async fn close(&self) -> store::Result<()> {
        self.backend.close().await
    }

    async fn snapshot(&self, to: &Path) -> store::Result<Vec<String>> {
        append(&self.journal, &mut Random(4), 2_000, 0);
        self.backend.snapshot(to).await
    }
}

#[test]
fn hits_that_come_between_journal_and_numbers_are_in_the_backup() {
    block_on(async {
        let (dir, kept, new) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut house = House::open(dir.path(), 1).await;
        house.furnish().await;
        house.hit(900, 0);
        house.applier.settle().await.unwrap();
        house.hit(50, 0);
        let (journal, backend) = (Arc::clone(&house.journal), Arc::clone(&house.store.backend));
        let late = Store { backend: Arc::new(Late { journal, backend }), ..house.store.clone() };
        let folder = dir.path().join("journal");
        let manifest = backup(&late, dir.path(), &folder, kept.path(), &silent, at(5)).await.unwrap();
        assert_eq!(manifest.missing, 0);
        restore(kept.path(), new.path(), &silent).unwrap();
        assert_eq!(counted_after(new.path(), 2).await, (2_950, 0));
        house.close().await;
    });
}

async fn backed_up(dir: &Path, target: &Path) {
    filled(dir).await;
    let house = House::open(dir, 2).await;
    backup(&house.store, dir, &dir.join("journal"), target, &silent, at(5)).await.unwrap();
    house.close().await;
}

fn refused<T: std::fmt::Debug>(said: Result<T, Error>) -> String {
    match said {
        Err(Error::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn only_a_whole_backup_is_restored_and_only_into_nothing() {
    block_on(async {
        let (dir, kept, new) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        backed_up(dir.path(), kept.path()).await;
        let house = House::open(dir.path(), 3).await;
        let again =
            backup(&house.store, dir.path(), &dir.path().join("journal"), kept.path(), &silent, at(5)).await;
        assert!(refused(again).contains("not empty"));
        std::fs::write(dir.path().join("restore.partial"), "").unwrap();
        let half = backup(&house.store, dir.path(), dir.path(), &new.path().join("c"), &silent, at(5)).await;
        assert!(refused(half).contains("only a part"));
        std::fs::remove_file(dir.path().join("restore.partial")).unwrap();
        house.close().await;
        assert!(refused(restore(kept.path(), dir.path(), &silent)).contains("not empty"));

        let file = kept.path().join("links.db");
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[5_000] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        std::fs::write(new.path().join("lock"), "restore").unwrap();
        assert!(refused(restore(kept.path(), new.path(), &silent)).contains("checksum"));
        assert_eq!(unfinished(new.path()).unwrap(), Some(Unfinished::Restore));
        assert!(!new.path().join("tallies.db").exists() && !new.path().join("journal").exists());
        std::fs::remove_file(&file).unwrap();
        assert!(refused(restore(kept.path(), new.path(), &silent)).contains("lacks links.db"));
        std::fs::write(&file, &good).unwrap();
        // As if it had been killed after the first rename.
        std::fs::create_dir(new.path().join("journal")).unwrap();
        std::fs::write(new.path().join("journal/x"), "half").unwrap();
        restore(kept.path(), new.path(), &silent).unwrap();
        assert_eq!(unfinished(new.path()).unwrap(), None);
        assert!(!new.path().join("journal/x").exists());
        let (tallies, lost) = counted_after(new.path(), 9).await;
        assert_eq!((tallies, lost), (700, 3));

        std::fs::remove_file(kept.path().join("backup.json")).unwrap();
        assert!(refused(restore(kept.path(), &new.path().join("b"), &silent)).contains("not finished"));
    });
}

#[test]
fn a_manifest_leads_nowhere_else() {
    let kept = tempfile::tempdir().unwrap();
    for name in ["../x", "/etc/x", "", "a/../../x"] {
        let text = format!(
            "{{\"format\":1,\"dataset\":\"a\",\"made_at\":\"2026-11-22T17:00:00Z\",\"missing\":0,\
             \"files\":{{\"{name}\":{{\"size\":1,\"sha256\":\"a\"}}}}}}"
        );
        std::fs::write(kept.path().join("backup.json"), text).unwrap();
        assert!(refused(restore::manifest(kept.path())).contains("it names"), "{name}");
    }
    std::fs::write(kept.path().join("backup.json"), "{\"format\":2}").unwrap();
    assert!(refused(restore::manifest(kept.path())).contains("version"));
}
