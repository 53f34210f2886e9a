//! Stories: which article a claim means, how one is made, how what is known of it grows.
//!
//! Guarantees that an address or CMS id leads to one article for ever, once that article is there, that an article has
//! a bounded number of them, and that what is known is never overwritten by a claim. Aliases are written before the article, each in a lane of its own: whoever
//! loses one follows the winner, and an alias whose article is not there yet is a creation that was cut short, which
//! the next one completes with that id.

use jiff::Timestamp;

use crate::domain::article::{self, Article, ArticleFacts, ArticleId};
use crate::store::Result;
use crate::store::links::ArticleClaim;
use crate::store::redis::records::{
    Admitted, Alias, AliasName, Committed, Name, Record, Records, Story, Tries, Write, cut,
};

/// What a claim's address and CMS id lead to.
pub(super) struct Names {
    /// The article that is meant: the CMS id's, else the address's, else a new one.
    pub(super) id: ArticleId,
    url: (Record, Option<Alias>),
    cms_id: Option<(Record, Option<Alias>)>,
}

impl Names {
    /// Looks them up.
    pub(super) async fn look(records: &Records, claim: &ArticleClaim) -> Result<Names> {
        let by_cms = claim.cms_id.as_ref().map(|id| Name::cms_id(&claim.site, id));
        let names = [Some(Name::url(&claim.url)), by_cms];
        let mut found = vec![];
        for record in records.read(names.into_iter().flatten().collect()).await? {
            let alias = Alias::read(&record.raw)?;
            found.push((record, alias));
        }
        let mut found = found.into_iter();
        let none = || (Record { name: Name::url(&claim.url), raw: vec![] }, None);
        let (url, cms_id) = (found.next().unwrap_or_else(none), found.next());
        let meant = cms_id.as_ref().and_then(|(_, alias)| alias.as_ref()).or(url.1.as_ref());
        let id = meant.map_or_else(|| claim.new_id.clone(), |alias| alias.article.clone());
        Ok(Names { id, url, cms_id })
    }

    /// Lets both lead to the story, as far as nobody else has them and it has room for them. False if another was
    /// faster in what decides which story it is: then all must be looked at again.
    pub(super) async fn secure(
        &self,
        records: &Records,
        tries: &mut Tries,
        claim: &ArticleClaim,
        of: &mut (Record, Option<Story>),
    ) -> Result<bool> {
        let aliases = [self.url_alias(records, claim, of.1.as_ref()).await?, self.cms_alias(claim)?];
        let Some([url, cms_id]) = admit(records, tries, claim, of, aliases).await? else { return Ok(false) };
        if let Some(write) = url
            && commit_one(records, tries, write).await? == Committed::Lost
            && !self.by_cms_id()
        {
            return Ok(false);
        }
        match cms_id {
            Some(write) => Ok(commit_one(records, tries, write).await? == Committed::Done),
            None => Ok(true),
        }
    }

    /// What the CMS id's record must become, if anything.
    fn cms_alias(&self, claim: &ArticleClaim) -> Result<Option<Write>> {
        let (Some((record, None)), Some(id)) = (&self.cms_id, &claim.cms_id) else { return Ok(None) };
        let name = AliasName::CmsId { site: claim.site.clone(), id: id.clone() };
        Ok(Some(record.becomes(Alias { article: self.id.clone(), name }.write()?)))
    }

    /// True if the CMS id says which story it is, whoever has the address.
    fn by_cms_id(&self) -> bool {
        self.cms_id.as_ref().is_some_and(|(_, alias)| alias.is_some())
    }

    /// What the address's record must become, if anything.
    async fn url_alias(
        &self,
        records: &Records,
        claim: &ArticleClaim,
        story: Option<&Story>,
    ) -> Result<Option<Write>> {
        let (record, there) = &self.url;
        let own = story.is_none_or(|story| story.article.url == claim.url);
        let claims_cms_id = story.is_none() && self.cms_id.as_ref().is_some_and(|(_, alias)| alias.is_none());
        let name = match (own, claims_cms_id) {
            (false, _) => AliasName::Url(claim.url.clone()),
            (true, true) => AliasName::Claimed,
            (true, false) => AliasName::Own,
        };
        let news = match there {
            None => true,
            Some(alias) if alias.article != self.id => {
                // Of a story by another CMS id that was not made: this one's is known.
                let other = Name::Article(alias.article.clone());
                alias.name == AliasName::Claimed && records.read_one(other).await?.raw.is_empty()
            }
            // Its text was not written, because it was to be its article's own; that became another.
            Some(Alias { name: AliasName::Own | AliasName::Claimed, .. }) if !own => true,
            // From now on it is this article's, whatever comes of the claim that made it.
            Some(Alias { name: AliasName::Claimed, .. }) => story.is_none() && self.cms_id.is_none(),
            Some(_) => false,
        };
        let alias = Alias { article: self.id.clone(), name };
        if news { Ok(Some(record.becomes(alias.write()?))) } else { Ok(None) }
    }
}

/// Those of the aliases (address, CMS id) that are the story's own or that it has room for: it notes them before they
/// are made, so that nothing that comes in between makes them more than it may have. None if another was faster.
async fn admit(
    records: &Records,
    tries: &mut Tries,
    claim: &ArticleClaim,
    (record, story): &mut (Record, Option<Story>),
    mut aliases: [Option<Write>; 2],
) -> Result<Option<[Option<Write>; 2]>> {
    let Some(story) = story else { return Ok(Some(aliases)) };
    let article = &story.article;
    let is_own_id = article.site == claim.site
        && (article.cms_id.is_none() || article.cms_id.as_ref() == claim.cms_id.as_ref());
    let own = [article.url == claim.url, is_own_id];
    let mut noted = false;
    for (alias, own) in aliases.iter_mut().zip(own) {
        let Some(write) = alias.as_ref().filter(|_| !own) else { continue };
        match story.admit(&write.name) {
            Admitted::Before => {}
            Admitted::Now => noted = true,
            Admitted::Not => *alias = None,
        }
    }
    if noted {
        let write = record.becomes(story.write()?);
        record.raw.clone_from(&write.raw);
        if commit_one(records, tries, write).await? == Committed::Lost {
            return Ok(None);
        }
    }
    Ok(Some(aliases))
}

async fn commit_one(records: &Records, tries: &mut Tries, write: Write) -> Result<Committed> {
    records.commit(tries, vec![write]).await
}

/// The claim's story as it shall be, and whether that is anything new: made, or with what the claim adds.
pub(super) fn told(
    id: &ArticleId,
    claim: &ArticleClaim,
    known: Option<Story>,
    now: Timestamp,
) -> (Story, bool) {
    let facts = ArticleFacts { published_at: claim.facts.published_at.map(cut), ..claim.facts.clone() };
    let Some(mut story) = known else {
        let article = Article {
            id: id.clone(),
            cms_id: claim.cms_id.clone(),
            url: claim.url.clone(),
            site: claim.site.clone(),
            facts,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        return (Story::new(article), true);
    };
    let known = &mut story.article;
    let cms_id = claim.cms_id.as_ref().filter(|_| known.site == claim.site);
    let filled = article::fill(&mut known.cms_id, cms_id) | known.facts.fill(&facts);
    if filled {
        known.version += 1;
        known.updated_at = now;
    }
    (story, filled)
}
