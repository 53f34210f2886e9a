//! Over a bad line: replies that are lost, commands that come late, nodes that die between two steps.
//!
//! A creation takes up to four commits. Each test does its fault to the first, the second ... until one run has
//! fewer commits than that.

use std::sync::atomic::{AtomicU64, Ordering};

use slugline::domain::link::Found;
use slugline::store::conformance::accounts::{key, user};
use slugline::store::conformance::documents::change;
use slugline::store::conformance::editing::edit;
use slugline::store::conformance::{at, choose, created, existing, find, url};
use slugline::store::documents::{DocumentChange, DocumentChanged};
use slugline::store::links::{ArticleClaim, Creation, Edited, NewLink};
use slugline::store::{Error, Store};

use super::{claim, request, told};
use crate::redis::house::{House, LANES, own_prefix, shared};
use crate::redis::proxy::{Fault, Proxy};

/// A node with a hand on its line, and one beside it without.
pub struct Two {
    pub proxy: Proxy,
    pub far: House,
    pub near: House,
}

impl Two {
    pub async fn open() -> Two {
        let server = shared().await;
        let proxy = Proxy::start(&server.address());
        let mut settings = server.settings_at(&proxy.address());
        settings.prefix = own_prefix();
        let far = House::open(&settings, LANES).await;
        settings.urls = server.settings().urls;
        let two = Two { near: House::open(&settings, LANES).await, proxy, far };
        // The server knows the scripts from now on.
        created(&two.near.store, choose(9_999, "first", "first")).await;
        two
    }

    /// Does this to the `nth` commit (from 0) of the far node, and to those after it as often as `times` says.
    pub fn strike(&self, fault: Fault, nth: u64, times: u64) {
        let seen = AtomicU64::new(0);
        self.proxy.plan(fault, times, move |words| {
            let commit =
                words[0].starts_with(b"EVAL") && words.get(4).is_some_and(|key| key.ends_with(b":c"));
            commit && seen.fetch_add(1, Ordering::Relaxed) >= nth
        });
    }
}

type Make = fn(&Store) -> NewLink;

/// Requests of every sort: by address, with a CMS id, with other spellings, with a chosen code, with codes that lie in other lanes.
const SORTS: [Make; 6] = [
    |store| request(1, store, claim(1, "a", None)),
    |store| request(1, store, claim(1, "a", Some("4711"))),
    |store| {
        let claim = claim(1, "a", Some("4711"));
        request(1, store, ArticleClaim { aliases: vec![url("a-amp"), url("a-print")], ..claim })
    },
    |_| choose(1, "a", "vote"),
    |_| NewLink { article: Some(claim(1, "a", Some("4711"))), ..choose(1, "a", "vote") },
    |store| NewLink { force_new: true, ..request(1, store, claim(1, "a", None)) },
];

/// The same with each of these, at one time: most of it is waiting.
async fn side_by_side<T>(sorts: impl IntoIterator<Item = T>, test: impl AsyncFn(usize, T)) {
    futures_util::future::join_all(sorts.into_iter().enumerate().map(|(n, sort)| test(n, sort))).await;
}

fn only(mut all: Vec<Creation>) -> Creation {
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

/// A reply that is lost is not a link of somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_whose_reply_is_lost_is_told_so() {
    side_by_side(SORTS, async |_, make| {
        for nth in 0.. {
            let two = Two::open().await;
            let new = make(&two.far.store);
            two.strike(Fault::DropReply, nth, 1);
            let made = only(two.far.store.links.create(vec![new.clone()], at(0)).await.unwrap());
            assert!(told(&made).1, "{nth}: {made:?}");
            if two.proxy.struck() == 0 {
                assert!(nth > 1, "a creation has more than one commit");
                break;
            }
            // It is in the lists of the node that made it, and everywhere the same.
            assert_eq!(two.far.store.links.count().await.unwrap(), 2);
            let (code, _) = told(&made);
            assert_eq!(find(&two.near.store, &code).await, find(&two.far.store, &code).await);
            assert_eq!(
                told(&only(two.near.store.links.create(vec![new], at(0)).await.unwrap())),
                (code, true)
            );
        }
    })
    .await;
}

/// What comes late, after its retry, changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_delivered_late_changes_nothing() {
    side_by_side(SORTS, async |_, make| {
        for nth in 0.. {
            let mut two = Two::open().await;
            let new = make(&two.far.store);
            two.strike(Fault::Hold, nth, 1);
            let made = only(two.far.store.links.create(vec![new], at(0)).await.unwrap());
            let (code, is_new) = told(&made);
            assert!(is_new, "{nth}: {made:?}");
            let before = find(&two.near.store, &code).await;
            let first = changed(&two.near.store, &before, "edited meanwhile").await;
            let held = two.proxy.deliver().await;
            assert_eq!(find(&two.near.store, &code).await, first, "{nth}");
            if held == 0 {
                break;
            }
        }
    })
    .await;
}

async fn changed(store: &Store, found: &Found, note: &str) -> Found {
    let mut change = edit(found, |link| link.note = Some(note.into()));
    change.tag = change.link.version << 32 | u64::from(crc(note));
    match store.links.edit(change, at(0)).await.unwrap() {
        Edited::Changed(found) => found,
        other => panic!("{other:?}"),
    }
}

fn crc(text: &str) -> u32 {
    text.bytes().fold(7, |crc, byte| crc.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

/// A node that dies between two steps leaves what the next request completes: one story, one code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_half_way_leaves_nothing_in_the_way() {
    side_by_side(SORTS, async |sort, make| {
        for nth in 0.. {
            let mut two = Two::open().await;
            let new = make(&two.far.store);
            // This commit and all after it get lost on the way, and the node gives up.
            two.strike(Fault::Hold, nth, u64::MAX);
            let died = two.far.store.links.create(vec![new.clone()], at(0)).await;
            if two.proxy.struck() == 0 {
                break;
            }
            assert!(matches!(died, Err(Error::Unavailable(_))), "{sort} {nth}: {died:?}");
            // Somebody else asks for the same, with codes of their own.
            let mut other = request(2, &two.near.store, claim(2, "a", None));
            (other.link.channel, other.link.target) = (new.link.channel.clone(), new.link.target.clone());
            let made = created(&two.near.store, other.clone()).await;
            // What the dead node had sent comes after all.
            two.proxy.deliver().await;
            let after = existing(&two.near.store, NewLink { tag: 3, ..other }).await;
            assert_eq!(after.link.code, made.link.code, "{sort} {nth}");
            let again = only(two.near.store.links.create(vec![new.clone()], at(0)).await.unwrap());
            let (code, is_new) = told(&again);
            let own = new.force_new || matches!(new.code, slugline::store::links::NewCode::Chosen(_));
            assert!(own || (code == made.link.code.as_str() && !is_new), "{sort} {nth}: {again:?}");
            let story = |found: &Found| found.link.article.clone();
            assert_eq!(story(&find(&two.near.store, &code).await), story(&made), "{sort} {nth}: one story");
        }
    })
    .await;
}

/// An edit whose reply is lost is made once, and is no conflict.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_whose_reply_is_lost_is_changed() {
    let sorts =
        [(Fault::DropReply, false), (Fault::DropReply, true), (Fault::Hold, false), (Fault::Hold, true)];
    side_by_side(sorts, async |_, (fault, chosen)| {
        for nth in 0..3 {
            let mut two = Two::open().await;
            let new =
                if chosen { choose(1, "a", "vote") } else { request(1, &two.far.store, claim(1, "a", None)) };
            let first = created(&two.far.store, new).await;
            let mut change = edit(&first, |link| link.channel = Some("print".into()));
            change.tag = 77;
            two.strike(fault, nth, 1);
            let edited = two.far.store.links.edit(change.clone(), at(0)).await.unwrap();
            let Edited::Changed(found) = edited else { panic!("{nth}: {edited:?}") };
            assert_eq!(*found.link, change.link, "{nth}");
            two.proxy.deliver().await;
            assert_eq!(find(&two.near.store, found.link.code.as_str()).await, found);
            let history = two.far.store.links.history(&first.link.code, None, 9).await.unwrap();
            assert_eq!(history.iter().map(|line| line.version).collect::<Vec<_>>(), [2, 1]);
        }
    })
    .await;
}

/// Keys and users: added, ended and set once, and told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_whose_replies_are_lost_are_told_so() {
    let mut two = Two::open().await;
    let accounts = two.far.store.accounts.clone();
    for fault in [Fault::DropReply, Fault::Hold] {
        let name = format!("{fault:?}");
        two.strike(fault, 0, 1);
        assert!(accounts.add_key(key(&name, 1)).await.unwrap(), "a key");
        two.strike(fault, 0, 1);
        let ended = accounts.revoke_key(&name, "cli", at(2)).await.unwrap().unwrap();
        assert_eq!(ended.revoked_at, Some(at(2)));
        two.strike(fault, 0, 1);
        assert!(accounts.add_user(user(&name, 1)).await.unwrap(), "a user");
        two.strike(fault, 0, 1);
        let disabled = slugline::store::accounts::User { disabled_at: Some(at(3)), ..user(&name, 1) };
        assert!(accounts.set_user(disabled.clone(), "cli", "user.disabled", at(3)).await.unwrap());
        two.proxy.deliver().await;
        assert!(accounts.keys().await.unwrap().contains(&ended));
        assert!(accounts.users().await.unwrap().contains(&disabled));
    }
    let lines = accounts.audited(None, 100).await.unwrap();
    assert_eq!(lines.iter().filter(|line| !line.action.starts_with("link.")).count(), 8, "{lines:#?}");
}

/// Documents: changed and removed once, and told so; also who has read the version that they replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_whose_replies_are_lost_are_told_so() {
    let mut two = Two::open().await;
    let documents = two.far.store.documents.clone();
    for fault in [Fault::DropReply, Fault::Hold] {
        let name = format!("{fault:?}");
        for (n, value) in [(1, Some("a".into())), (2, Some("b".into())), (3, None), (4, Some("c".into()))] {
            two.strike(fault, 0, 1);
            let seen = if n == 4 { Some(0) } else { Some(n - 1) };
            let asked = DocumentChange { seen, ..change(&name, value, 5) };
            assert_eq!(documents.change_document(asked).await.unwrap(), DocumentChanged::Done(n), "{name}");
        }
        two.proxy.deliver().await;
        let asked = DocumentChange { seen: Some(2), ..change(&name, Some("late".into()), 6) };
        assert_eq!(documents.change_document(asked).await.unwrap(), DocumentChanged::Stale(4));
        let all = documents.documents().await.unwrap();
        assert!(all.iter().any(|d| d.name == name && d.version == 4 && d.value == "c"), "{all:?}");
    }
    let lines = two.far.store.accounts.audited(None, 100).await.unwrap();
    // Of one moment: lines that say the same are one.
    assert_eq!(lines.iter().filter(|line| line.action.starts_with("setting.")).count(), 8, "{lines:#?}");
}

/// A request that was begun and whose reply was lost is new, not running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_whose_reply_is_lost_is_new() {
    use slugline::store::accounts::Begun;
    let mut two = Two::open().await;
    for fault in [Fault::DropReply, Fault::Hold] {
        let key = format!("{fault:?}");
        two.proxy.plan(fault, 1, |words| {
            words[0].starts_with(b"EVAL")
                && words.get(4).is_some_and(|key| key.windows(3).any(|w| w == b":i:"))
        });
        let begin = async |store: &Store| store.accounts.begin("key:a", &key, [1; 32], at(0)).await.unwrap();
        assert_eq!(begin(&two.far.store).await, Begun::New);
        two.proxy.deliver().await;
        assert_eq!(begin(&two.near.store).await, Begun::Running);
    }
}

/// Another database, or one that was emptied: nothing is written, and what is known is still told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_emptied_is_left_alone() {
    let server = crate::redis::servers::Standalone::start(&[]).await;
    let house = House::open(&server.settings(), LANES).await;
    let known = created(&house.store, choose(1, "a", "vote")).await;
    server.ask(&["FLUSHALL"]).await;
    assert_eq!(find(&house.store, "vote").await, known, "from the mirror");
    let new = house.store.links.create(vec![choose(2, "b", "other")], at(0)).await;
    assert!(matches!(new, Err(Error::Fenced(_))), "{new:?}");
    let change = house.store.links.edit(edit(&known, |link| link.note = None), at(0)).await;
    assert!(matches!(change, Err(Error::Fenced(_))), "{change:?}");
    let keyed = house.store.accounts.add_key(key("k", 0)).await;
    assert!(matches!(keyed, Err(Error::Fenced(_))), "{keyed:?}");
    assert_eq!(server.say(&["DBSIZE"]).await, "0");
    assert_eq!(house.store.links.count().await.unwrap(), 1);
}
