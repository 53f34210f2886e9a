//! Documents in Redis: records of the root lane, so that a change of one is in the change feed and in the mirror as soon
//! as a key's; the mirror lists them.

use std::sync::Arc;

use async_trait::async_trait;

use super::accounts::lines;
use super::records::{Committed, Name, Records, Tries, document, random_tag};
use crate::store::documents::{Document, DocumentChange, DocumentChanged, DocumentKind, Documents, NAMES};
use crate::store::links::RequestTag;
use crate::store::mirror::Mirror;
use crate::store::{Error, Result};

/// The documents of a store in Redis.
pub struct RedisDocuments {
    records: Records,
    mirror: Arc<dyn Mirror>,
}

impl RedisDocuments {
    /// The documents of a dataset that is open, which `records` shows to `mirror`.
    #[must_use]
    pub fn new(records: Records, mirror: Arc<dyn Mirror>) -> RedisDocuments {
        RedisDocuments { records, mirror }
    }

    /// The mirror's documents, once it has all of them: a part of the settings would be other settings.
    async fn mirrored(&self) -> Result<Arc<dyn Documents>> {
        let root = self.records.lanes().root();
        let followed = self.mirror.followed().await?;
        if !followed.get(usize::from(root)).is_some_and(|lane| lane.complete) {
            return Err(Error::Unavailable("the mirror has not read settings and channels yet".into()));
        }
        Ok(self.mirror.documents())
    }

    async fn try_to_change(
        &self,
        tries: &mut Tries,
        change: &DocumentChange,
        tag: RequestTag,
    ) -> Result<Option<DocumentChanged>> {
        let record = self.records.read_one(Name::Document(change.kind, change.name.clone())).await?;
        let there = document::read(&record.raw)?;
        if let Some(mine) = there.as_ref().filter(|there| there.tag == tag) {
            let version = mine.version;
            self.records.saw(vec![record]).await;
            return Ok(Some(DocumentChanged::Done(version)));
        }
        let there = there.map(|there| there.remembered());
        let version = match change.over(there.as_ref()) {
            Ok(version) => version,
            Err(answer) => return Ok(Some(answer)),
        };
        if there.is_none() && self.names(change.kind).await? >= NAMES {
            return Ok(Some(DocumentChanged::Full));
        }
        let kept = document::Kept {
            value: change.value.clone(),
            version,
            updated_at: change.at,
            updated_by: change.by.clone(),
            tag,
        };
        let mut writes = vec![record.becomes(document::write(&kept)?)];
        writes.extend(lines::writes(&self.records, [&change.line(there.as_ref())]).await?);
        let committed = self.records.commit(tries, writes).await?;
        Ok((committed == Committed::Done).then_some(DocumentChanged::Done(version)))
    }

    async fn try_to_import(
        &self,
        tries: &mut Tries,
        document: &Document,
        tag: RequestTag,
    ) -> Result<Option<()>> {
        let record = self.records.read_one(Name::Document(document.kind, document.name.clone())).await?;
        if let Some(there) = document::read(&record.raw)? {
            if there.tag == tag {
                self.records.saw(vec![record]).await;
            }
            return Ok(Some(()));
        }
        let Document { value, version, updated_at, updated_by, .. } = document.clone();
        let kept = document::Kept { value: Some(value), version, updated_at, updated_by, tag };
        let write = record.becomes(document::write(&kept)?);
        Ok((self.records.commit(tries, vec![write]).await? == Committed::Done).then_some(()))
    }
}

#[async_trait]
impl Documents for RedisDocuments {
    async fn documents(&self) -> Result<Vec<Document>> {
        self.mirrored().await?.documents().await
    }

    async fn names(&self, kind: DocumentKind) -> Result<usize> {
        self.mirrored().await?.names(kind).await
    }

    async fn change_document(&self, change: DocumentChange) -> Result<DocumentChanged> {
        let (mut tries, tag) = (Tries::default(), random_tag()?);
        loop {
            let tried = self.try_to_change(&mut tries, &change, tag).await;
            if let Some(changed) = tries.next(tried).await? {
                return Ok(changed);
            }
        }
    }

    async fn import_documents(&self, documents: Vec<Document>) -> Result<()> {
        for document in documents {
            let (mut tries, tag) = (Tries::default(), random_tag()?);
            loop {
                let tried = self.try_to_import(&mut tries, &document, tag).await;
                if tries.next(tried).await?.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }
}
