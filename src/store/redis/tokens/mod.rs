//! Tokens in the root lane: a hash of all of a kind, and a sorted set of when they end.
//!
//! Guarantees that each change is one script, fenced by the dataset, and harmless if it is sent twice. Both keys of a
//! kind end by themselves after its last token. Knows hashes only, never a secret.

use std::sync::LazyLock;

use async_trait::async_trait;
use jiff::Timestamp;

use super::conn::{Script, read};
use super::dataset::fenced;
use super::records::{Records, pack_token, unpack_token};
use crate::store::Result;
use crate::store::tokens::{KEPT, Token, TokenId, TokenKind, Tokens};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("put.lua")));
static REPLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replace.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("remove.lua")));

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Removed in one script: its answer holds up everybody.
const AT_ONCE: usize = 250;
/// A note of use that others keep overtaking is left out.
const TRIES: usize = 3;

/// The tokens of a store in Redis.
pub struct RedisTokens {
    records: Records,
}

fn bytes(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl RedisTokens {
    /// The tokens of a dataset that is open.
    #[must_use]
    pub fn new(records: Records) -> RedisTokens {
        RedisTokens { records }
    }

    /// The root lane's meta, tokens by id, ids by end.
    fn keys(&self, kind: TokenKind) -> [Vec<u8>; 3] {
        let (lanes, root) = (self.records.lanes(), self.records.lanes().root());
        let key = |what: &str| lanes.key(root, &format!("{what}:{}", kind.as_str()));
        [lanes.meta(root), key("tk"), key("te")]
    }

    /// Runs a script; true and bytes if it did what it should.
    async fn run(&self, script: &Script, keys: &[Vec<u8>], more: Vec<Vec<u8>>) -> Result<(bool, Vec<u8>)> {
        self.records.gate()?;
        let lanes = self.records.lanes();
        let args = [vec![lanes.dataset_arg()], more].concat();
        let (done, said): (i64, Vec<u8>) = read(self.records.conn().run(script, keys, &args).await?)?;
        if done < 0 {
            let id = String::from_utf8_lossy(&said);
            return Err(fenced(lanes, lanes.root(), Some(&*id).filter(|id| !id.is_empty())));
        }
        Ok((done == 1, said))
    }

    async fn raw(&self, kind: TokenKind, id: TokenId) -> Result<Option<Vec<u8>>> {
        // A store that is not ours has none of ours: that is no answer.
        self.records.gate()?;
        let [_, all, _] = self.keys(kind);
        let mut cmd = redis::cmd("HGET");
        cmd.arg(all).arg(&id.0);
        read(self.records.conn().ask(cmd).await?)
    }

    async fn all(&self, kind: TokenKind) -> Result<Vec<Token>> {
        self.records.gate()?;
        let [_, all, _] = self.keys(kind);
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(all);
        let raws: Vec<(Vec<u8>, Vec<u8>)> = read(self.records.conn().ask(cmd).await?)?;
        raws.iter().map(|(id, raw)| unpack_token(kind, id, raw)).collect()
    }

    async fn remove_all(&self, kind: TokenKind, ids: &[TokenId]) -> Result<()> {
        for some in ids.chunks(AT_ONCE) {
            let ids = some.iter().map(|id| id.0.to_vec()).collect();
            self.run(&REMOVE, &self.keys(kind), ids).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Tokens for RedisTokens {
    async fn put(&self, token: Token) -> Result<()> {
        let more = vec![
            bytes(token.created_at.as_millisecond()),
            bytes(KEPT),
            bytes(DAY_MS),
            token.id.0.to_vec(),
            pack_token(&token)?,
            bytes(token.expires_at.as_millisecond()),
        ];
        self.run(&PUT, &self.keys(token.kind), more).await.map(drop)
    }

    async fn get(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        let raw = self.raw(kind, id).await?;
        let token = raw.map(|raw| unpack_token(kind, &id.0, &raw)).transpose()?;
        Ok(token.filter(|token| token.expires_at > now))
    }

    async fn take(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        let (_, raw) = self.run(&REMOVE, &self.keys(kind), vec![id.0.to_vec()]).await?;
        if raw.is_empty() {
            return Ok(None);
        }
        Ok(Some(unpack_token(kind, &id.0, &raw)?).filter(|token| token.expires_at > now))
    }

    async fn touch(&self, kind: TokenKind, id: TokenId, at: Timestamp) -> Result<()> {
        let [meta, all, _] = self.keys(kind);
        for _ in 0..TRIES {
            let Some(was) = self.raw(kind, id).await? else { return Ok(()) };
            let token = unpack_token(kind, &id.0, &was)?;
            if token.seen_at >= at {
                return Ok(());
            }
            let becomes = pack_token(&Token { seen_at: at, ..token })?;
            let more = vec![id.0.to_vec(), was, becomes];
            if self.run(&REPLACE, &[meta.clone(), all.clone()], more).await?.0 {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn remove(&self, kind: TokenKind, id: TokenId) -> Result<()> {
        self.remove_all(kind, &[id]).await
    }

    async fn remove_of(&self, kinds: &[TokenKind], owner: &str) -> Result<()> {
        for kind in kinds {
            let theirs = self.all(*kind).await?.into_iter().filter(|token| token.owner == owner);
            self.remove_all(*kind, &theirs.map(|token| token.id).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    async fn list(&self, kind: TokenKind, owner: Option<&str>, now: Timestamp) -> Result<Vec<Token>> {
        let mut tokens = self.all(kind).await?;
        tokens.retain(|token| token.expires_at > now && owner.is_none_or(|owner| token.owner == owner));
        tokens.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
        Ok(tokens)
    }

    async fn sweep(&self, now: Timestamp) -> Result<()> {
        for kind in TokenKind::ALL {
            let [_, _, ends] = self.keys(kind);
            let mut cmd = redis::cmd("ZRANGEBYSCORE");
            cmd.arg(ends).arg("-inf").arg(now.as_millisecond());
            let ids: Vec<Vec<u8>> = read(self.records.conn().ask(cmd).await?)?;
            let ids: Vec<TokenId> =
                ids.iter().filter_map(|id| Some(TokenId(id.as_slice().try_into().ok()?))).collect();
            self.remove_all(kind, &ids).await?;
        }
        Ok(())
    }
}
