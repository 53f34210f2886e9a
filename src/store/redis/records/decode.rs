//! What a record means to the mirror.

use super::name::Name;
use super::{Alias, AliasName, KeptWebhook, Story, account, document, link, trail, webhook};
use crate::store::mirror::{AliasKind, Base, Put, Value};
use crate::store::{Error, Result};

/// A record as the mirror takes it; empty bytes are a record that is gone. `base` is what it was before, if that
/// is known.
///
/// # Errors
/// `Corrupt` for what is no record.
pub fn decode(field: Vec<u8>, raw: Vec<u8>, base: Option<Base>) -> Result<Put> {
    let name = Name::of(&field)?;
    let value = if raw.is_empty() { Value::Gone } else { value(name, &raw)? };
    Ok(Put { field, raw, base, value })
}

fn value(name: Name, raw: &[u8]) -> Result<Value> {
    let nothing = || Error::Corrupt("a record is empty".into());
    Ok(match name {
        Name::Links(key) => Value::Links(link::read_links(&key, raw)?),
        Name::Article(id) => {
            let Story { article, slots, .. } = Story::read(&id, raw)?.ok_or_else(nothing)?;
            Value::Article { article: Box::new(article), slots }
        }
        Name::Url(_) | Name::CmsId(_) => alias(Alias::read_any(raw)?.ok_or_else(nothing)?),
        Name::History(code, version) => Value::History { code, entry: trail::kept_entry(version, raw)? },
        Name::ArticleHistory(article, version) => {
            Value::ArticleHistory { article, entry: trail::kept_entry(version, raw)? }
        }
        Name::Key(id) => Value::Key(account::key::read(&id, raw)?.ok_or_else(nothing)?.of),
        Name::User(_) => Value::User(account::user::read(raw)?.ok_or_else(nothing)?.of),
        Name::Audit(id) => Value::Audit(account::audit::read(id, raw)?),
        Name::Document(kind, name) => {
            let document::Kept { value, version, updated_at, updated_by, .. } =
                document::read(raw)?.ok_or_else(nothing)?;
            Value::Document { kind, name, value, version, updated_at, updated_by }
        }
        Name::Webhook(id) => match webhook::read(&id, raw)? {
            KeptWebhook::There(there) => Value::Webhook(Box::new(there.of)),
            KeptWebhook::Gone | KeptWebhook::None => Value::NoWebhook(id),
        },
    })
}

fn alias(alias: Alias) -> Value {
    let article = alias.article;
    match alias.name {
        // The article says it.
        AliasName::Own | AliasName::Claimed => Value::Nothing,
        AliasName::Freed => Value::Freed { article },
        AliasName::Url(value) | AliasName::Coming(value) => {
            Value::Alias { kind: AliasKind::Url, site: String::new(), value, article }
        }
        AliasName::CmsId { site, id } => Value::Alias { kind: AliasKind::CmsId, site, value: id, article },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::article::ArticleId;

    #[test]
    fn a_record_is_put_as_what_it_means() {
        let field = Name::url("https://a.example/").field();
        let own = Alias { article: ArticleId("a1".into()), name: AliasName::Own };
        let put = decode(field.clone(), own.write().unwrap(), None).unwrap();
        assert!(matches!(put.value, Value::Nothing) && put.field == field);
        let other = Alias { name: AliasName::Url("https://a.example/".into()), ..own };
        let put = decode(field.clone(), other.write().unwrap(), Some(3)).unwrap();
        assert!(matches!(&put.value, Value::Alias { kind: AliasKind::Url, .. }), "{put:?}");
        assert!(matches!(decode(field, vec![], None).unwrap().value, Value::Gone));
        assert!(decode(b"?".to_vec(), vec![1], None).is_err());
        assert!(decode(b"a1".to_vec(), vec![1], None).is_err());
    }
}
