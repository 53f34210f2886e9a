//! Names of a story: the address, the other addresses and the CMS id of a claim, and what they lead to.
//!
//! Guarantees that each leads to one article, once that article is there, and that claims which have a name in
//! common mean one story. Aliases are written before the article, each in a lane of its own, in one order for all
//! claims: whoever loses one follows the winner. An alias whose article is not there yet is a creation that was cut
//! short, which the next one completes with that id; if it has other names, it may be turned to theirs.

use crate::domain::article::ArticleId;
use crate::store::Result;
use crate::store::links::ArticleClaim;
use crate::store::redis::records::{
    Admitted, Alias, AliasName, Committed, Name, Record, Records, Story, Tries, Write,
};

use super::read;

/// An address of a claim, and what it leads to.
struct Address {
    text: String,
    record: Record,
    alias: Option<Alias>,
}

/// What a claim's names lead to.
pub(super) struct Names {
    /// The article that is meant.
    pub(super) id: ArticleId,
    /// The claim's address, then the others.
    addresses: Vec<Address>,
    cms_id: Option<(Record, Option<Alias>)>,
}

impl Names {
    /// Looks them up.
    pub(super) async fn look(records: &Records, claim: &ArticleClaim) -> Result<Names> {
        let mut texts = vec![claim.url.clone()];
        for text in &claim.aliases {
            if !texts.contains(text) {
                texts.push(text.clone());
            }
        }
        let by_cms = claim.cms_id.as_ref().map(|id| Name::cms_id(&claim.site, id));
        let names = texts.iter().map(|text| Name::url(text)).chain(by_cms);
        let mut found = vec![];
        for record in records.read(names.collect()).await? {
            let alias = Alias::read(&record.raw)?;
            found.push((record, alias));
        }
        let mut found = found.into_iter();
        let addresses: Vec<Address> = texts
            .into_iter()
            .zip(found.by_ref())
            .map(|(text, (record, alias))| Address { text, record, alias })
            .collect();
        let cms_id = found.next();
        let by_cms = cms_id.as_ref().and_then(|(_, alias)| alias.as_ref()).map(|alias| alias.article.clone());
        let id = match by_cms {
            Some(id) => Some(id),
            None => meant(records, &addresses).await?,
        };
        Ok(Names { id: id.unwrap_or_else(|| claim.new_id.clone()), addresses, cms_id })
    }

    /// The article's record and story, of the one it was merged into if it was: that one is meant from now on.
    pub(super) async fn settle(
        &mut self,
        records: &Records,
        record: Record,
    ) -> Result<(Record, Option<Story>)> {
        let Some(story) = read::story(&record)? else { return Ok((record, None)) };
        let (record, story) = read::follow(records, record, story).await?;
        self.id = story.article.id.clone();
        Ok((record, Some(story)))
    }

    /// Lets all lead to the story, as far as nobody else has them and it has room for them. False if another was
    /// faster in what decides which story it is: then all must be looked at again.
    pub(super) async fn secure(
        &self,
        records: &Records,
        tries: &mut Tries,
        claim: &ArticleClaim,
        of: &mut (Record, Option<Story>),
    ) -> Result<bool> {
        let mut aliases = vec![];
        for (at, address) in self.addresses.iter().enumerate() {
            if let Some(write) = self.address_alias(records, address, at == 0, of.1.as_ref()).await? {
                let own = of.1.as_ref().is_none_or(|story| story.article.url == address.text);
                aliases.push((write, own));
            }
        }
        // In the same order for all who claim several at once.
        aliases.sort_by_cached_key(|(write, _)| write.name.field());
        if let Some(write) = self.cms_alias(claim)? {
            let own = |story: &Story| {
                let article = &story.article;
                article.site == claim.site
                    && (article.cms_id.is_none() || article.cms_id.as_ref() == claim.cms_id.as_ref())
            };
            let own = of.1.as_ref().is_none_or(own);
            aliases.push((write, own));
        }
        let Some(aliases) = admit(records, tries, of, aliases).await? else { return Ok(false) };
        let decisive = |name: &Name| match name {
            Name::CmsId(_) => true,
            _ if self.by_cms_id() => false,
            // Another address of a story that is there: nothing hangs on it.
            name => of.1.is_none() || self.addresses.first().is_some_and(|first| first.record.name == *name),
        };
        for write in aliases {
            let decisive = decisive(&write.name);
            if records.commit(tries, vec![write]).await? == Committed::Lost && decisive {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names, besides its own address, of the addresses that a new story has.
    pub(super) fn others(&self) -> impl Iterator<Item = &Name> {
        let mine = |address: &&Address| {
            address.alias.as_ref().is_none_or(|alias| alias.article == self.id || is_soft(alias))
        };
        self.addresses.iter().skip(1).filter(mine).map(|address| &address.record.name)
    }

    /// What the CMS id's record must become, if anything.
    fn cms_alias(&self, claim: &ArticleClaim) -> Result<Option<Write>> {
        let (Some((record, None)), Some(id)) = (&self.cms_id, &claim.cms_id) else { return Ok(None) };
        let name = AliasName::CmsId { site: claim.site.clone(), id: id.clone() };
        Ok(Some(record.becomes(Alias { article: self.id.clone(), name }.write()?)))
    }

    /// True if the CMS id says which story it is, whoever has the addresses.
    fn by_cms_id(&self) -> bool {
        self.cms_id.as_ref().is_some_and(|(_, alias)| alias.is_some())
    }

    /// What an address's record must become, if anything. `first` is the claim's own.
    async fn address_alias(
        &self,
        records: &Records,
        Address { text, record, alias: there }: &Address,
        first: bool,
        story: Option<&Story>,
    ) -> Result<Option<Write>> {
        let own = story.map_or(first, |story| story.article.url == *text);
        let claims_cms_id = self.cms_id.as_ref().is_some_and(|(_, alias)| alias.is_none());
        let alone = self.addresses.len() == 1 && !claims_cms_id;
        let name = match (own, story.is_some(), alone) {
            (false, true, _) => AliasName::Url(text.clone()),
            (false, false, _) => AliasName::Coming(text.clone()),
            (true, false, false) => AliasName::Claimed,
            (true, ..) => AliasName::Own,
        };
        let news = match there {
            None => true,
            // Of a story that was not made, and whose other names are known now.
            Some(alias) if alias.article != self.id => is_soft(alias) && is_missing(records, alias).await?,
            // Its text was not written, because it was to be its article's own; that became another.
            Some(Alias { name: AliasName::Own | AliasName::Claimed, .. }) if !own => true,
            // From now on it is this article's, whatever comes of the claim that made it.
            Some(alias) if is_soft(alias) => story.is_none() && self.cms_id.is_none() && alone,
            Some(_) => false,
        };
        let alias = Alias { article: self.id.clone(), name };
        if news { Ok(Some(record.becomes(alias.write()?))) } else { Ok(None) }
    }
}

/// True for an alias that may be turned while its article is not there.
pub(super) fn is_soft(alias: &Alias) -> bool {
    matches!(alias.name, AliasName::Claimed | AliasName::Coming(_))
}

/// True if an alias's article was not made.
pub(super) async fn is_missing(records: &Records, alias: &Alias) -> Result<bool> {
    Ok(records.read_one(Name::Article(alias.article.clone())).await?.raw.is_empty())
}

/// The article that addresses lead to: the first that is there; else the one that will be there whatever comes; else
/// that of the last in the order in which all claim them, whose maker has come furthest.
async fn meant(records: &Records, addresses: &[Address]) -> Result<Option<ArticleId>> {
    let mut known: Vec<(&Address, &Alias)> = vec![];
    for address in addresses {
        let alias = address.alias.as_ref();
        known.extend(alias.map(|alias| (address, alias)));
    }
    let Some((_, first)) = known.first() else { return Ok(None) };
    if known.iter().all(|(_, alias)| alias.article == first.article) {
        return Ok(Some(first.article.clone()));
    }
    let names = known.iter().map(|(_, alias)| Name::Article(alias.article.clone())).collect();
    let there = records.read(names).await?;
    let made = known.iter().zip(&there).find(|(_, record)| !record.raw.is_empty()).map(|(known, _)| known);
    let firm = || known.iter().find(|(_, alias)| !is_soft(alias));
    let last = || known.iter().max_by_key(|(address, _)| address.record.name.field());
    Ok(made.or_else(firm).or_else(last).map(|(_, alias)| alias.article.clone()))
}

/// Those of the aliases that are the story's own or that it has room for: it notes them before they are made, so that
/// nothing that comes in between makes them more than it may have. None if another was faster.
async fn admit(
    records: &Records,
    tries: &mut Tries,
    (record, story): &mut (Record, Option<Story>),
    aliases: Vec<(Write, bool)>,
) -> Result<Option<Vec<Write>>> {
    let Some(story) = story else { return Ok(Some(aliases.into_iter().map(|(write, _)| write).collect())) };
    let (mut admitted, mut noted) = (vec![], false);
    for (write, own) in aliases {
        let room = if own { Admitted::Before } else { story.admit(&write.name) };
        noted |= room == Admitted::Now;
        if room != Admitted::Not {
            admitted.push(write);
        }
    }
    if noted {
        let write = record.becomes(story.write()?);
        record.raw.clone_from(&write.raw);
        if records.commit(tries, vec![write]).await? == Committed::Lost {
            return Ok(None);
        }
    }
    Ok(Some(admitted))
}
