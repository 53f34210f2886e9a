//! Keys, users, the audit, remembered answers.

use super::editing::{changed, edit, retire};
use super::{Store, ask, at, created};
use crate::domain::access::Role;
use crate::store::accounts::{AccountItem, Answer, AuditEntry, Begun, Key, User};

/// A key made `seconds` after the begin.
#[must_use]
pub fn key(id: &str, seconds: i64) -> Key {
    Key {
        id: id.into(),
        name: format!("key {id}"),
        role: Role::Creator,
        hash: [7; 32],
        created_at: at(seconds),
        created_by: "cli".into(),
        expires_at: None,
        revoked_at: None,
    }
}

/// A user added `seconds` after the begin.
#[must_use]
pub fn user(name: &str, seconds: i64) -> User {
    User {
        name: name.into(),
        role: Role::Editor,
        password: None,
        created_at: at(seconds),
        created_by: "cli".into(),
        disabled_at: None,
    }
}

fn entry(n: i64) -> AuditEntry {
    AuditEntry {
        id: 0,
        at: at(n),
        by: "cli".into(),
        action: "settings.changed".into(),
        object: format!("settings:{n}"),
        detail: String::new(),
    }
}

/// All of them, oldest first; an id is given once.
pub async fn keys_are_kept(store: &Store) {
    assert!(store.accounts.keys().await.unwrap().is_empty());
    let late = Key { expires_at: Some(at(100)), role: Role::Admin, ..key("a", 5) };
    assert!(store.accounts.add_key(late.clone()).await.unwrap());
    assert!(store.accounts.add_key(key("b", 1)).await.unwrap());
    assert!(!store.accounts.add_key(Key { hash: [8; 32], ..key("a", 9) }).await.unwrap());
    assert_eq!(store.accounts.keys().await.unwrap(), [key("b", 1), late]);
}

/// A revoked key stays in the list, with the time of the first revocation.
pub async fn keys_end_once(store: &Store) {
    store.accounts.add_key(key("a", 0)).await.unwrap();
    let ended = Key { revoked_at: Some(at(3)), ..key("a", 0) };
    assert_eq!(store.accounts.revoke_key("a", "cli", at(3)).await.unwrap(), Some(ended.clone()));
    assert_eq!(store.accounts.revoke_key("a", "cli", at(4)).await.unwrap(), Some(ended.clone()));
    assert_eq!(store.accounts.revoke_key("zz", "cli", at(4)).await.unwrap(), None);
    assert_eq!(store.accounts.keys().await.unwrap(), [ended]);
}

/// Unique without regard to case; replaced as a whole.
pub async fn users_are_kept(store: &Store) {
    assert!(store.accounts.add_user(user("Maria", 1)).await.unwrap());
    assert!(!store.accounts.add_user(user("mARIA", 2)).await.unwrap());
    assert!(store.accounts.add_user(user("anna", 0)).await.unwrap());
    let set = User {
        role: Role::Viewer,
        password: Some("$argon2id$...".into()),
        disabled_at: Some(at(9)),
        ..user("Maria", 1)
    };
    assert!(store.accounts.set_user(set.clone(), "user:anna", "user.disabled", at(9)).await.unwrap());
    assert!(!store.accounts.set_user(user("nobody", 0), "cli", "user.changed", at(9)).await.unwrap());
    assert_eq!(store.accounts.users().await.unwrap(), [user("anna", 0), set]);
    let audit = store.accounts.audited(None, 1).await.unwrap();
    let line = (audit[0].by.as_str(), audit[0].action.as_str(), audit[0].object.as_str());
    assert_eq!(line, ("user:anna", "user.disabled", "user:Maria"));
}

/// Numbered upwards, read downwards, paged by number.
pub async fn the_audit_is_newest_first(store: &Store) {
    store.accounts.audit((1..=5).map(entry).collect()).await.unwrap();
    store.accounts.audit(vec![entry(6)]).await.unwrap();
    let all = store.accounts.audited(None, 100).await.unwrap();
    let objects: Vec<_> = all.iter().map(|e| e.object.as_str()).collect();
    assert_eq!(objects, ["settings:6", "settings:5", "settings:4", "settings:3", "settings:2", "settings:1"]);
    assert!(all.windows(2).all(|two| two[0].id > two[1].id) && all[5].id > 0);
    assert_eq!(AuditEntry { id: 0, ..all[1].clone() }, entry(5));
    assert_eq!(store.accounts.audited(Some(all[1].id), 2).await.unwrap(), all[2..4]);
    assert!(store.accounts.audited(Some(all[5].id), 2).await.unwrap().is_empty());
}

/// Old lines go, whoever wrote them; the others stay, and what they are about stays too.
pub async fn old_lines_of_the_audit_go(store: &Store) {
    let link = created(store, ask(1, "a", &["aa"])).await;
    // At 2.
    changed(store, edit(&link, |l| l.note = Some("n".into()))).await;
    store.accounts.add_key(key("k", 4)).await.unwrap();
    let first = -3 * 365 * 86_400;
    store.accounts.audit((first..first + 120).map(entry).collect()).await.unwrap();
    store.accounts.audit((10..13).map(entry).collect()).await.unwrap();
    let objects = async || -> Vec<String> {
        let mut all: Vec<_> = store.accounts.audited(None, 500).await.unwrap();
        all.sort_by_key(|line| line.at);
        all.into_iter().map(|line| line.object).collect()
    };
    assert_eq!(objects().await.len(), 126);
    store.accounts.forget_audit(at(first)).await.unwrap();
    assert_eq!(objects().await.len(), 126, "a line of that very moment stays");
    store.accounts.forget_audit(at(first + 1)).await.unwrap();
    assert_eq!(objects().await.len(), 125);
    store.accounts.forget_audit(at(2)).await.unwrap();
    let left = ["link:aa", "key:k", "settings:10", "settings:11", "settings:12"];
    assert_eq!(objects().await, left);
    for _ in 0..2 {
        store.accounts.forget_audit(at(11)).await.unwrap();
        assert_eq!(objects().await, ["settings:11", "settings:12"]);
    }
    store.accounts.audit(vec![entry(20)]).await.unwrap();
    assert_eq!(objects().await, ["settings:11", "settings:12", "settings:20"]);
    assert_eq!(store.links.history(&link.link.code, None, 9).await.unwrap().len(), 2);
    assert_eq!(store.accounts.keys().await.unwrap(), [key("k", 4)]);
}

/// Links and accounts write their own lines: who did what to which, when.
pub async fn links_write_their_own_audit(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    // What changed nothing leaves no line.
    store.links.create(vec![ask(9, "a", &["bb"])], at(0)).await.unwrap();
    // These two are made at 2 and 3: times that follow each other, so that there is one order of lines.
    let second = changed(store, edit(&first, |l| l.note = Some("n".into()))).await;
    retire(store, &second).await;
    store.accounts.add_key(key("k", 4)).await.unwrap();
    store.accounts.revoke_key("k", "user:maria", at(5)).await.unwrap();
    store.accounts.add_user(user("Maria", 6)).await.unwrap();
    store.accounts.add_user(user("maria", 7)).await.unwrap();
    let all = store.accounts.audited(None, 100).await.unwrap();
    let lines: Vec<_> =
        all.iter().rev().map(|e| (e.by.as_str(), e.action.as_str(), e.object.as_str())).collect();
    let expected = [
        ("key:a", "link.created", "link:aa"),
        ("user:maria", "link.changed", "link:aa"),
        ("user:maria", "link.retired", "link:aa"),
        ("cli", "key.created", "key:k"),
        ("user:maria", "key.revoked", "key:k"),
        ("cli", "user.created", "user:Maria"),
    ];
    assert_eq!(lines, expected);
}

/// New, running, done; another body is another request; owners do not share keys.
pub async fn an_idempotency_key(store: &Store) {
    let begin =
        async |owner: &str, body: u8| store.accounts.begin(owner, "k", [body; 32], at(0)).await.unwrap();
    assert_eq!(begin("key:a", 1).await, Begun::New);
    assert_eq!(begin("key:a", 1).await, Begun::Running);
    assert_eq!(begin("key:a", 2).await, Begun::Other);
    assert_eq!(begin("key:b", 2).await, Begun::New);
    let answer = Answer { status: 201, body: b"{\"a\":\xff}".to_vec() };
    store.accounts.finish("key:a", "k", Some(answer.clone())).await.unwrap();
    assert_eq!(begin("key:a", 1).await, Begun::Done(answer.clone()));
    assert_eq!(begin("key:a", 2).await, Begun::Other);
    assert_eq!(begin("key:b", 2).await, Begun::Running);
    // What shall not be remembered may be done again.
    store.accounts.finish("key:b", "k", None).await.unwrap();
    assert_eq!(begin("key:b", 3).await, Begun::New);
    assert_eq!(begin("key:a", 1).await, Begun::Done(answer));
}

/// A request that was left running for 60 s is taken for dead.
pub async fn a_request_that_died(store: &Store) {
    let begin = async |seconds| store.accounts.begin("key:a", "k", [1; 32], at(seconds)).await.unwrap();
    assert_eq!(begin(0).await, Begun::New);
    assert_eq!(begin(59).await, Begun::Running);
    assert_eq!(begin(60).await, Begun::New);
    assert_eq!(begin(119).await, Begun::Running, "it runs again since then");
    assert_eq!(begin(120).await, Begun::New);
}

/// After 24 h a key means nothing any more.
pub async fn answers_are_forgotten(store: &Store) {
    let day = 24 * 3_600;
    let begin =
        async |body: u8, seconds| store.accounts.begin("key:a", "k", [body; 32], at(seconds)).await.unwrap();
    assert_eq!(begin(1, 0).await, Begun::New);
    let answer = Answer { status: 200, body: vec![] };
    store.accounts.finish("key:a", "k", Some(answer.clone())).await.unwrap();
    assert_eq!(begin(1, day - 1).await, Begun::Done(answer));
    assert_eq!(begin(2, day + 1).await, Begun::New);
}

/// What is there is left as it is; reading back twice changes nothing more.
pub async fn accounts_come_back_as_they_were(store: &Store) {
    store.accounts.add_key(key("mine", 50)).await.unwrap();
    let there = store.accounts.audited(None, 100).await.unwrap();
    let revoked = Key { revoked_at: Some(at(3)), ..key("a", 0) };
    let disabled = User { disabled_at: Some(at(3)), password: Some("$".into()), ..user("Maria", 0) };
    let lines = [AuditEntry { id: 1, ..entry(1) }, AuditEntry { id: 2, ..entry(2) }];
    let items = || {
        let mut items = vec![
            AccountItem::Key(revoked.clone()),
            AccountItem::Key(Key { name: "another".into(), ..key("mine", 50) }),
            AccountItem::User(disabled.clone()),
            AccountItem::User(user("MARIA", 0)),
        ];
        items.extend(lines.iter().cloned().map(AccountItem::Audit));
        items
    };
    for _ in 0..2 {
        store.accounts.import(items()).await.unwrap();
        assert_eq!(store.accounts.keys().await.unwrap(), [revoked.clone(), key("mine", 50)]);
        assert_eq!(store.accounts.users().await.unwrap(), std::slice::from_ref(&disabled));
        let all = store.accounts.audited(None, 100).await.unwrap();
        assert_eq!(all.len(), there.len() + 2, "{all:?}");
        for line in &lines {
            assert!(all.iter().any(|e| AuditEntry { id: line.id, ..e.clone() } == *line), "{line:?}");
        }
    }
}
