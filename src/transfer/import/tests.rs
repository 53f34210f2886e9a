//! An import comes out the same however often it was killed, tells each bad line, and writes over nothing.

use std::io::{BufReader, Read};
use std::path::Path;

use super::*;
use crate::domain::tally::Counts;
use crate::hits::verify::tests::{House, block_on, open_store, silent, verified};
use crate::store::conformance::{at, blank, choose, code, created, url};
use crate::store::links::NewLink;
use crate::store::tallies::LaneAudit;
use crate::transfer::tests::{exported, filled};

const NOTHING: Options = Options { dry_run: false, merge: false };
const DRY: Options = Options { dry_run: true, merge: false };
const MERGE: Options = Options { dry_run: false, merge: true };

type Said = (Result<Imported, Error>, Vec<(u64, String)>);

async fn import_from(store: &Store, dir: &Path, from: impl Read, options: Options) -> Said {
    let mut from = BufReader::new(from);
    let mut bad = vec![];
    let header = match read_header(&mut from) {
        Ok(header) => header,
        Err(e) => return (Err(e), bad),
    };
    let mut tell = |line: u64, why: &str| bad.push((line, why.to_owned()));
    let done = import(store, dir, &header, &mut from, options, &silent, &mut tell).await;
    (done, bad)
}

fn refusal(said: Said) -> String {
    match said.0 {
        Err(Error::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// Lines that say the same for two stores: all but the first, the streams, and the last.
fn content(text: &str) -> Vec<&str> {
    let own = |line: &&str| {
        !["slugline", "stream", "end"].iter().any(|k| line.starts_with(&format!("{{\"kind\":\"{k}\"")))
    };
    text.lines().filter(own).collect()
}

#[test]
fn out_and_in_and_out_is_the_same() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = filled(from.path()).await;
        let store = open_store(to.path(), "Europe/Vienna");
        let (done, bad) = import_from(&store, to.path(), text.as_bytes(), NOTHING).await;
        let done = done.unwrap();
        assert_eq!((bad, done.bad, done.whole), (vec![], 0, true));
        let again = exported(&store).await;
        assert_eq!(content(&text), content(&again));
        for kind in [
            "article", "alias", "link", "history", "key", "user", "setting", "channel", "tally", "stream",
            "audit", "webhook",
        ] {
            let lines = text.lines().filter(|l| l.starts_with(&format!("{{\"kind\":\"{kind}\""))).count();
            assert!(lines > 0, "{kind}");
            assert_eq!(done.lines.of(kind), u64::try_from(lines).unwrap(), "{kind}");
        }
        // Who reads the file cannot sign.
        assert!(!text.contains("whsec_") && !text.contains("c2VjcmV0"));
        let webhooks = store.webhooks.all().await.unwrap();
        assert!(webhooks.len() == 2 && webhooks.iter().all(|w| w.secret.reveal().is_none()), "{webhooks:?}");
        assert!(!to.path().join(MARKER).exists());
        // What was lost is kept, and the audit holds.
        let audit = store.tallies.audit().await.unwrap();
        assert!(audit.iter().all(|lane| lane.holds() && lane.ordinals == 0), "{audit:?}");
        assert_eq!(audit[2].lost, 3);
        let report = verified(&store, to.path()).await;
        assert!(report.holds(), "{report:?}");
        store.close().await.unwrap();
        // And it goes on counting from there.
        let mut house = House::open(to.path(), 9).await;
        house.hit(400, 0);
        house.applier.settle().await.unwrap();
        let report = verified(&house.store, to.path()).await;
        assert!(report.holds(), "{report:?}");
        let counted = import_from(&house.store, to.path(), text.as_bytes(), NOTHING).await;
        assert!(refusal(counted).contains("counted hits"));
        house.close().await;
    });
}

/// Gives so many bytes, then fails.
struct Dying<'a>(&'a [u8]);

impl Read for Dying<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::Error::other("killed"));
        }
        self.0.read(buf)
    }
}

#[test]
fn a_killed_import_goes_on() {
    block_on(async {
        let from = tempfile::tempdir().unwrap();
        let text = filled(from.path()).await;
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        for cut in [1, 2, 9, 25, 60, lines.len() / 2, lines.len() - 20, lines.len() - 2] {
            let to = tempfile::tempdir().unwrap();
            let store = open_store(to.path(), "Europe/Vienna");
            // Within a line.
            let part = &text.as_bytes()[..lines[cut] - 5];
            let (killed, _) = import_from(&store, to.path(), Dying(part), NOTHING).await;
            assert!(matches!(killed, Err(Error::Io { .. })), "{cut}: {killed:?}");
            assert!(crate::transfer::unfinished(to.path()).unwrap().is_some(), "{cut}");
            let other = text.replacen("exported_at\":\"2", "exported_at\":\"1", 1);
            let refused = import_from(&store, to.path(), other.as_bytes(), NOTHING).await;
            assert!(refusal(refused).contains("another file"), "{cut}");
            let (done, bad) = import_from(&store, to.path(), text.as_bytes(), NOTHING).await;
            assert_eq!((bad, done.unwrap().bad), (vec![], 0), "{cut}");
            assert_eq!(crate::transfer::unfinished(to.path()).unwrap(), None);
            assert_eq!(content(&text), content(&exported(&store).await), "{cut}");
            let audit = store.tallies.audit().await.unwrap();
            assert!(audit.iter().all(LaneAudit::holds), "{audit:?}");
            store.close().await.unwrap();
        }
    });
}

#[test]
fn what_is_done_is_not_done_again() {
    block_on(async {
        let from = tempfile::tempdir().unwrap();
        let text = filled(from.path()).await;
        let to = tempfile::tempdir().unwrap();
        let store = open_store(to.path(), "Europe/Vienna");
        let part = &text.as_bytes()[..text.len() - 20];
        let _killed = import_from(&store, to.path(), Dying(part), NOTHING).await;
        let (done, _) = import_from(&store, to.path(), text.as_bytes(), NOTHING).await;
        let (done, all) = (done.unwrap(), text.lines().count());
        assert!(done.resumed > 50 && done.lines.all() + done.resumed < u64::try_from(all).unwrap() + 600);
        store.close().await.unwrap();
    });
}

#[test]
fn a_dry_run_writes_nothing_and_says_the_same() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = filled(from.path()).await;
        let store = open_store(to.path(), "Europe/Vienna");
        let empty = content(&exported(&store).await).len();
        let broken = text.replacen("\"kind\":\"key\"", "\"kind\":\"kye\"", 1).replacen(
            "\"article\":\"a-story-1\"",
            "\"article\":\"a-nobody\"",
            1,
        );
        let (dry, said) = import_from(&store, to.path(), broken.as_bytes(), DRY).await;
        assert_eq!(content(&exported(&store).await).len(), empty);
        assert!(!to.path().join(MARKER).exists());
        let (real, told) = import_from(&store, to.path(), broken.as_bytes(), NOTHING).await;
        assert!(!said.is_empty());
        assert_eq!(said, told);
        assert_eq!(dry.unwrap(), real.unwrap());
        store.close().await.unwrap();
    });
}

#[test]
fn bad_lines_are_told_and_cost_only_themselves() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = filled(from.path()).await;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let first = |lines: &[String], kind: &str| {
            lines.iter().position(|l| l.starts_with(&format!("{{\"kind\":\"{kind}\""))).unwrap()
        };
        let tally = first(&lines, "tally");
        lines[tally + 1] = lines[tally].clone();
        let user = first(&lines, "user");
        lines[user] = lines[user].replacen("\"role\"", "\"shoe_size\":44,\"role\"", 1);
        let key = first(&lines, "key");
        lines[key] = "{\"kind\":\"spaceship\"}".into();
        let link = first(&lines, "link");
        lines[link] = lines[link].replacen("https://", "javascript:", 1);
        let mut expected: Vec<u64> =
            [link, key, user, tally + 1].iter().map(|at| u64::try_from(*at).unwrap() + 1).collect();
        let broken = lines.join("\n");
        let store = open_store(to.path(), "Europe/Vienna");
        let (done, bad) = import_from(&store, to.path(), broken.as_bytes(), NOTHING).await;
        // The history of a link that was not taken goes with it.
        expected.insert(1, expected[0] + 1);
        let mut told: Vec<u64> = bad.iter().map(|(line, _)| *line).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{bad:?}");
        for (part, line) in
            [("address", 0), ("there is no link", 1), ("spaceship", 2), ("shoe_size", 3), ("before", 4)]
        {
            assert!(
                bad.iter().any(|(at, why)| *at == expected[line] && why.contains(part)),
                "{part}: {bad:?}"
            );
        }
        assert_eq!(done.unwrap().bad, 5);
        assert!(store.links.find("b4tqz9n").await.unwrap().len() == 1);
        // A server may go on with that; or the file is mended and the rest put in.
        assert_eq!(crate::transfer::unfinished(to.path()).unwrap(), None);
        let (done, bad) = import_from(&store, to.path(), text.as_bytes(), NOTHING).await;
        assert_eq!((bad, done.unwrap().bad), (vec![], 0));
        let (mut a, mut b) = (content(&text), vec![]);
        let again = exported(&store).await;
        b.extend(content(&again));
        // A link that came later stands later.
        a.sort_unstable();
        b.sort_unstable();
        assert_eq!(a, b);
        store.close().await.unwrap();
    });
}

#[test]
fn a_file_that_was_cut_shows() {
    block_on(async {
        let from = tempfile::tempdir().unwrap();
        let text = filled(from.path()).await;
        let lines = u64::try_from(text.lines().count()).unwrap();
        let end = text.trim_end().rfind('\n').unwrap() + 1;
        for (cut, bad_line, whole) in
            [(text.len() - 4, Some(lines), false), (end, None, false), (end - 9, Some(lines - 1), false)]
        {
            let to = tempfile::tempdir().unwrap();
            let store = open_store(to.path(), "Europe/Vienna");
            let (done, bad) = import_from(&store, to.path(), &text.as_bytes()[..cut], NOTHING).await;
            assert_eq!(bad.first().map(|(line, _)| *line), bad_line, "{bad:?}");
            assert_eq!(done.unwrap().whole, whole);
            store.close().await.unwrap();
        }
        let to = tempfile::tempdir().unwrap();
        let store = open_store(to.path(), "Europe/Vienna");
        let (head, rest) = text.split_once('\n').unwrap();
        let missing = format!("{head}\n{}", rest.split_once('\n').unwrap().1);
        let (_, bad) = import_from(&store, to.path(), missing.as_bytes(), DRY).await;
        assert!(bad.iter().any(|(_, why)| why.contains("lines before this one")), "{bad:?}");
        store.close().await.unwrap();
    });
}

#[test]
fn a_merge_adds_links_only() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = filled(from.path()).await;
        let mut house = House::open(to.path(), 5).await;
        let mine = NewLink { link: blank(Some(url("mine")), at(70)), ..choose(1, "mine", "b4tqz9n") };
        created(&house.store, mine).await;
        house.hit(100, 0);
        house.applier.settle().await.unwrap();
        let numbers = house.store.tallies.export(None).await.unwrap();
        let refused = import_from(&house.store, to.path(), text.as_bytes(), NOTHING).await;
        assert!(refusal(refused).contains("--merge"));
        for again in [false, true] {
            let (dry, said) =
                import_from(&house.store, to.path(), text.as_bytes(), Options { dry_run: true, ..MERGE })
                    .await;
            let (done, bad) = import_from(&house.store, to.path(), text.as_bytes(), MERGE).await;
            assert_eq!((dry.unwrap(), said), (done.unwrap(), bad.clone()), "{again}");
            assert_eq!(bad.len(), 2, "{again} {bad:?}");
            assert!(bad[0].1.contains("another link has the code b4tqz9n"), "{bad:?}");
        }
        let found = house.store.links.find("b4tqz9n").await.unwrap();
        assert_eq!(found[0].link.target, Some(url("mine")));
        assert_eq!(house.store.links.history(&code("b4tqz9n"), None, 10).await.unwrap().len(), 1);
        assert_eq!(house.store.links.find("kx7dw4m").await.unwrap().len(), 1);
        assert_eq!(house.store.tallies.export(None).await.unwrap(), numbers);
        assert_eq!(house.store.accounts.users().await.unwrap(), []);
        house.close().await;
    });
}

#[test]
fn what_is_no_export_is_refused() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = filled(from.path()).await;
        let store = open_store(to.path(), "Europe/Vienna");
        let table = [
            (String::new(), "empty"),
            ("hello\n".into(), "not JSON"),
            ("{\"kind\":\"link\"}\n".into(), "not of kind"),
            (text.replacen("\"format\":1", "\"format\":2", 1), "version 2"),
            (text.replacen("\"format\":1", "\"format\":1,\"x\":1", 1), "unknown field"),
            (text.replace("Europe/Vienna", "Asia/Tokyo"), "cannot be put together"),
        ];
        for (file, why) in table {
            let said = refusal(import_from(&store, to.path(), file.as_bytes(), NOTHING).await);
            assert!(said.contains(why), "{why}: {said}");
        }
        store.close().await.unwrap();
    });
}

#[test]
fn another_makers_file_with_few_fields() {
    block_on(async {
        let to = tempfile::tempdir().unwrap();
        let store = open_store(to.path(), "Europe/Vienna");
        let file = concat!(
            "{\"kind\":\"slugline\",\"format\":1,\"dataset\":\"ab\",\"timezone\":\"Europe/Vienna\"}\n",
            "{\"kind\":\"tally\",\"scope\":\"site\",\"series\":\"total\",\"clicks\":2}\n",
            "{\"kind\":\"tally\",\"scope\":\"link:a\",\"series\":\"total\",\"clicks\":2}\n",
            "{\"kind\":\"tally\",\"scope\":\"site\",\"series\":\"day\",\"bucket\":1,\"clicks\":2}\n",
            "{\"kind\":\"stream\",\"stream\":null,\"ordinals\":[3,5,1,9],\"lost\":[1,2,4,9]}"
        );
        let (done, bad) = import_from(&store, to.path(), file.as_bytes(), NOTHING).await;
        assert_eq!(done.unwrap().lines.all(), 3);
        assert_eq!((bad.len(), bad[0].0), (1, 4), "{bad:?}");
        assert_eq!(store.tallies.lost().await.unwrap(), [5, 2, 9]);
        let total = store.tallies.totals(&[crate::domain::tally::Scope::Site]).await.unwrap();
        assert_eq!(total, [Counts { clicks: 2, ..Counts::default() }]);
        store.close().await.unwrap();
    });
}

#[test]
fn many_lines_in_many_steps() {
    block_on(async {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open_store(from.path(), "Europe/Vienna");
        let mut new = vec![];
        for n in 0..1_200_u64 {
            let path = format!("s{}", n / 2);
            new.push(NewLink {
                link: blank(Some(url(&path)), at(1)),
                force_new: true,
                ..choose(n, &path, &format!("c{n}"))
            });
        }
        store.links.create(new, at(1)).await.unwrap();
        let text = exported(&store).await;
        store.close().await.unwrap();
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let other = open_store(to.path(), "Europe/Vienna");
        let mut resumed = 0;
        for cut in [700, 1_500, 2_900] {
            let (killed, _) =
                import_from(&other, to.path(), Dying(&text.as_bytes()[..lines[cut]]), NOTHING).await;
            assert!(killed.is_err());
            let marker = Marker::load(to.path()).unwrap().unwrap();
            assert!(marker.lines > resumed && marker.lines <= u64::try_from(cut).unwrap() + 1, "{marker:?}");
            resumed = marker.lines;
        }
        let (done, bad) = import_from(&other, to.path(), text.as_bytes(), NOTHING).await;
        assert_eq!((bad, done.unwrap().resumed), (vec![], resumed - 1));
        assert_eq!(content(&text), content(&exported(&other).await));
        other.close().await.unwrap();
    });
}
