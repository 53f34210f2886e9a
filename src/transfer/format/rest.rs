//! Lines about accounts and numbers.
//!
//! Guarantees nothing but that each field is there and read back. Knows neither files nor stores.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Line};
use crate::domain::access::Role;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Counts, DaySketch, Row, Scope, ScopeKind, Series, SketchOf};
use crate::store::accounts::{AccountItem, AuditEntry, Key, User};
use crate::transfer::files;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct KeyLine {
    id: String,
    name: String,
    role: Role,
    /// SHA-256 of the secret, in hexadecimal.
    hash: String,
    created_at: Timestamp,
    created_by: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct UserLine {
    name: String,
    role: Role,
    /// PHC string.
    password: Option<String>,
    created_at: Timestamp,
    created_by: String,
    disabled_at: Option<Timestamp>,
}

/// One row of one scope. Rows of a scope stand together, scopes in ascending order: an import sets a scope's
/// numbers as a whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct TallyLine {
    /// `site`, or kind and name with a colon between.
    scope: String,
    series: String,
    #[serde(default)]
    bucket: i64,
    #[serde(default)]
    value: String,
    #[serde(default)]
    clicks: u64,
    #[serde(default)]
    previews: u64,
    #[serde(default)]
    bots: u64,
    #[serde(default)]
    missed: u64,
    #[serde(default)]
    uniques: u64,
    #[serde(default)]
    unfurls: u64,
}

/// Which different ones a scope had on a day. Stands behind the scope's rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct UniquesLine {
    scope: String,
    /// `readers` or `shares`.
    of: String,
    /// Days since 1970.
    day: i64,
    /// Base64 of the sketch's bytes.
    sketch: String,
}

/// A stream's ordinals by lane, the site lane's last. The one without a name stands for what came before all
/// streams that are still known: its ordinals are the base, and what was ever lost is told with it. So over all
/// stream lines, lane by lane: ordinals = tallies + lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct StreamLine {
    pub(in crate::transfer) stream: Option<String>,
    pub(in crate::transfer) began_ms: Option<i64>,
    pub(in crate::transfer) ordinals: Vec<u64>,
    #[serde(default)]
    pub(in crate::transfer) lost: Vec<u64>,
    pub(in crate::transfer) finished_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct AuditLine {
    id: u64,
    at: Timestamp,
    by: String,
    action: String,
    object: String,
    #[serde(default)]
    detail: String,
}

/// The last line: a file that was cut between two lines lacks it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct EndLine {
    /// All lines before it, the first included.
    pub(in crate::transfer) lines: u64,
}

/// A key, user or line of the audit, as a line.
pub(in crate::transfer) fn account_line(item: AccountItem) -> Line {
    match item {
        AccountItem::Key(k) => Line::Key(KeyLine {
            id: k.id,
            name: k.name,
            role: k.role,
            hash: files::hex(&k.hash),
            created_at: k.created_at,
            created_by: k.created_by,
            expires_at: k.expires_at,
            revoked_at: k.revoked_at,
        }),
        AccountItem::User(u) => Line::User(UserLine {
            name: u.name,
            role: u.role,
            password: u.password,
            created_at: u.created_at,
            created_by: u.created_by,
            disabled_at: u.disabled_at,
        }),
        AccountItem::Audit(a) => Line::Audit(AuditLine {
            id: a.id,
            at: a.at,
            by: a.by,
            action: a.action,
            object: a.object,
            detail: a.detail,
        }),
    }
}

/// A number, as a line.
pub(in crate::transfer) fn tally_line(scope: &str, row: &Row) -> Line {
    Line::Tally(TallyLine {
        scope: scope.to_owned(),
        series: row.series.as_str().into(),
        bucket: row.bucket,
        value: row.value.to_string(),
        clicks: row.counts.clicks,
        previews: row.counts.previews,
        bots: row.counts.bots,
        missed: row.counts.missed,
        uniques: row.counts.uniques,
        unfurls: row.counts.unfurls,
    })
}

/// A sketch, as a line.
pub(in crate::transfer) fn uniques_line(scope: &str, sketch: &DaySketch) -> Line {
    Line::Uniques(UniquesLine {
        scope: scope.to_owned(),
        of: sketch.of.as_str().into(),
        day: sketch.day,
        sketch: BASE64_STANDARD.encode(sketch.sketch.to_bytes()),
    })
}

pub(super) fn uniques(line: UniquesLine) -> Result<Item, String> {
    let scope = scope_of(&line.scope).ok_or_else(|| format!("\"{}\" is no scope", line.scope))?;
    let of = SketchOf::ALL.into_iter().find(|of| of.as_str() == line.of);
    let of = of.ok_or_else(|| format!("\"{}\" is nothing that there are sketches of", line.of))?;
    let bytes = BASE64_STANDARD.decode(&line.sketch).map_err(|e| format!("a sketch is no base64: {e}"))?;
    let sketch = Sketch::from_bytes(&bytes).ok_or("a sketch cannot be read")?;
    Ok(Item::Sketch(scope, DaySketch { of, day: line.day, sketch }))
}

pub(super) fn tally(line: TallyLine) -> Result<Item, String> {
    let scope = scope_of(&line.scope).ok_or_else(|| format!("\"{}\" is no scope", line.scope))?;
    let series =
        Series::from_name(&line.series).ok_or_else(|| format!("\"{}\" is no series", line.series))?;
    let counts = Counts {
        clicks: line.clicks,
        previews: line.previews,
        bots: line.bots,
        missed: line.missed,
        uniques: line.uniques,
        unfurls: line.unfurls,
    };
    Ok(Item::Tally(scope, Row { series, bucket: line.bucket, value: line.value.into(), counts }))
}

pub(super) fn key(line: KeyLine) -> Result<Item, String> {
    let hash = files::unhex(&line.hash).ok_or("a key's hash is 64 hexadecimal digits")?;
    Ok(Item::Account(AccountItem::Key(Key {
        id: line.id,
        name: line.name,
        role: line.role,
        hash,
        created_at: line.created_at,
        created_by: line.created_by,
        expires_at: line.expires_at,
        revoked_at: line.revoked_at,
    })))
}

pub(super) fn user(line: UserLine) -> Item {
    Item::Account(AccountItem::User(User {
        name: line.name,
        role: line.role,
        password: line.password,
        created_at: line.created_at,
        created_by: line.created_by,
        disabled_at: line.disabled_at,
    }))
}

pub(super) fn audit(line: AuditLine) -> Item {
    Item::Account(AccountItem::Audit(AuditEntry {
        id: line.id,
        at: line.at,
        by: line.by,
        action: line.action,
        object: line.object,
        detail: line.detail,
    }))
}

/// A scope as it is written.
pub(in crate::transfer) fn scope_text(scope: &Scope) -> String {
    match scope.parts() {
        (ScopeKind::Site, _) => "site".into(),
        (kind, name) => format!("{}:{name}", kind.as_str()),
    }
}

fn scope_of(text: &str) -> Option<Scope> {
    match text.split_once(':') {
        None => (text == "site").then_some(Scope::Site),
        Some((kind, name)) => {
            let kind = ScopeKind::from_name(kind).filter(|k| *k != ScopeKind::Site && !name.is_empty())?;
            Some(Scope::from_parts(kind, name))
        }
    }
}
