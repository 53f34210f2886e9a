//! Keys, users, audit and remembered answers in Redis.
//!
//! Keys, users and their audit are records of the root lane, so that a change of them is in the change feed and in
//! the mirror as soon as a link's; the mirror lists them. Answers are plain strings that end by themselves, spread
//! over the lanes. Knows hashes only, never a secret.

mod answers;
pub(super) mod lines;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::records::{Committed, Name, Records, Tries, Write, cut, key, random_tag, user};
use crate::store::accounts::{AccountItem, Accounts, Answer, AuditEntry, Begun, Key, User};
use crate::store::mirror::Mirror;
use crate::store::{Error, Result};

pub(super) use lines::writes as audit_writes;

/// The accounts of a store in Redis.
pub struct RedisAccounts {
    records: Records,
    mirror: Arc<dyn Mirror>,
}

impl RedisAccounts {
    /// The accounts of a dataset that is open, which `records` shows to `mirror`.
    #[must_use]
    pub fn new(records: Records, mirror: Arc<dyn Mirror>) -> RedisAccounts {
        RedisAccounts { records, mirror }
    }

    /// The mirror's accounts, once it has all of them: who is let in is not decided by a part.
    async fn mirrored(&self) -> Result<Arc<dyn Accounts>> {
        let root = self.records.lanes().root();
        let followed = self.mirror.followed().await?;
        if !followed.get(usize::from(root)).is_some_and(|lane| lane.complete) {
            return Err(Error::Unavailable("the mirror has not read keys and users yet".into()));
        }
        Ok(self.mirror.accounts())
    }

    /// Puts a record where none is, with a line of the audit. False if there is one of another request.
    async fn add(&self, name: Name, raw: Vec<u8>, line: Option<AuditEntry>) -> Result<bool> {
        let mut tries = Tries::default();
        loop {
            let tried = self.try_to_add(&mut tries, &name, &raw, line.as_ref()).await;
            if let Some(added) = tries.next(tried).await? {
                return Ok(added);
            }
        }
    }

    async fn try_to_add(
        &self,
        tries: &mut Tries,
        name: &Name,
        raw: &[u8],
        line: Option<&AuditEntry>,
    ) -> Result<Option<bool>> {
        let record = self.records.read_one(name.clone()).await?;
        if !record.raw.is_empty() {
            // It bears the call's own tag, so it is the same to the last byte.
            let mine = record.raw == raw;
            if mine {
                self.records.saw(vec![record]).await;
            }
            return Ok(Some(mine));
        }
        let mut writes = vec![record.becomes(raw.to_vec())];
        writes.extend(lines::writes(&self.records, line).await?);
        self.commit(tries, writes, true).await
    }

    async fn try_to_revoke(
        &self,
        tries: &mut Tries,
        (id, tag): (&str, u64),
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Option<Key>>> {
        let record = self.records.read_one(Name::Key(id.to_owned())).await?;
        let Some(there) = key::read(id, &record.raw)? else { return Ok(Some(None)) };
        if there.of.revoked_at.is_some() {
            if there.tag == tag {
                self.records.saw(vec![record]).await;
            }
            return Ok(Some(Some(there.of)));
        }
        let revoked = Key { revoked_at: Some(cut(now)), ..there.of };
        let line = line(now, by, "key.revoked", format!("key:{id}"), "");
        let mut writes = vec![record.becomes(key::write(&revoked, tag)?)];
        writes.extend(lines::writes(&self.records, [&line]).await?);
        self.commit(tries, writes, Some(revoked)).await
    }

    async fn try_to_set(
        &self,
        tries: &mut Tries,
        (user, tag): (&User, u64),
        line: &AuditEntry,
    ) -> Result<Option<bool>> {
        let record = self.records.read_one(Name::user(&user.name)).await?;
        let Some(there) = user::read(&record.raw)? else { return Ok(Some(false)) };
        if there.tag == tag {
            self.records.saw(vec![record]).await;
            return Ok(Some(true));
        }
        let mut writes = vec![record.becomes(user::write(user, tag)?)];
        writes.extend(lines::writes(&self.records, [line]).await?);
        self.commit(tries, writes, true).await
    }

    async fn commit<T>(&self, tries: &mut Tries, writes: Vec<Write>, done: T) -> Result<Option<T>> {
        Ok((self.records.commit(tries, writes).await? == Committed::Done).then_some(done))
    }
}

fn line(at: Timestamp, by: &str, action: &str, object: String, detail: &str) -> AuditEntry {
    AuditEntry { id: 0, at, by: by.into(), action: action.into(), object, detail: detail.into() }
}

#[async_trait]
impl Accounts for RedisAccounts {
    async fn keys(&self) -> Result<Vec<Key>> {
        self.mirrored().await?.keys().await
    }

    async fn add_key(&self, key: Key) -> Result<bool> {
        let object = format!("key:{}", key.id);
        let line = line(key.created_at, &key.created_by, "key.created", object, &key.name);
        let raw = key::write(&key, random_tag()?)?;
        self.add(Name::Key(key.id), raw, Some(line)).await
    }

    async fn revoke_key(&self, id: &str, by: &str, now: Timestamp) -> Result<Option<Key>> {
        let (mut tries, tag) = (Tries::default(), random_tag()?);
        loop {
            let tried = self.try_to_revoke(&mut tries, (id, tag), by, now).await;
            if let Some(revoked) = tries.next(tried).await? {
                return Ok(revoked);
            }
        }
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.mirrored().await?.users().await
    }

    async fn add_user(&self, user: User) -> Result<bool> {
        let object = format!("user:{}", user.name);
        let line = line(user.created_at, &user.created_by, "user.created", object, "");
        self.add(Name::user(&user.name), user::write(&user, random_tag()?)?, Some(line)).await
    }

    async fn set_user(&self, user: User, by: &str, action: &str, now: Timestamp) -> Result<bool> {
        let (mut tries, tag) = (Tries::default(), random_tag()?);
        let line = line(now, by, action, format!("user:{}", user.name), "");
        loop {
            let tried = self.try_to_set(&mut tries, (&user, tag), &line).await;
            if let Some(set) = tries.next(tried).await? {
                return Ok(set);
            }
        }
    }

    async fn audit(&self, entries: Vec<AuditEntry>) -> Result<()> {
        lines::add(&self.records, &entries).await
    }

    async fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>> {
        self.mirror.accounts().audited(before, limit).await
    }

    async fn forget_audit(&self, before: Timestamp) -> Result<()> {
        lines::forget(&self.records, &*self.mirror, before).await?;
        // Lines of links are the mirror's own.
        self.mirror.forget_audit(before).await
    }

    async fn begin(&self, owner: &str, key: &str, body: [u8; 32], now: Timestamp) -> Result<Begun> {
        answers::begin(&self.records, owner, key, body, now).await
    }

    async fn finish(&self, owner: &str, key: &str, answer: Option<Answer>) -> Result<()> {
        answers::finish(&self.records, owner, key, answer).await
    }

    async fn import(&self, items: Vec<AccountItem>) -> Result<()> {
        let mut audited = vec![];
        for item in items {
            match item {
                AccountItem::Key(key) => {
                    let raw = key::write(&key, random_tag()?)?;
                    self.add(Name::Key(key.id), raw, None).await?;
                }
                AccountItem::User(user) => {
                    self.add(Name::user(&user.name), user::write(&user, random_tag()?)?, None).await?;
                }
                AccountItem::Audit(entry) => audited.push(entry),
            }
        }
        lines::add(&self.records, &audited).await
    }
}
