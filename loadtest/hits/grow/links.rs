//! The n-th link, and making all of them.
//!
//! Guarantees that a link, its code and its story follow from its number alone, that no two have the same code, and
//! that a link lies in its story's lane. Refuses to know hits.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use slugline::clock;
use slugline::domain::article::{ArticleFacts, ArticleId};
use slugline::domain::code::Code;
use slugline::domain::lane::{Lane, lane_of};
use slugline::domain::link::{Link, Via};
use slugline::hits::fold::LinkFacts;
use slugline::store::Store;
use slugline::store::links::{ArticleClaim, Creation, Links, NewCode, NewLink};
use tokio::task::JoinSet;

use super::{DAY_MS, Plan, Progress, mixed, one};

const LETTERS: &[u8; 27] = b"bcdfghjkmnpqrstvwxz23456789";
/// Letters of a code, and how many codes there are.
const LENGTH: usize = 7;
const CODES: u64 = 27_u64.pow(7);
/// No multiple of three, so that its multiples meet every code once.
const STEP: u64 = 6_464_854_819;
/// Codes that one link may have, so that there is one in its story's lane.
const CHOICES: u64 = 1_000;
/// Links in one call; even, so that a story's two are in the same one.
const BATCH: u64 = 2_000;
/// Calls under way.
const CALLS: usize = 4;

pub(super) const SECTIONS: [&str; 12] = [
    "World",
    "Politics",
    "Business",
    "Sport",
    "Culture",
    "Science",
    "Health",
    "Travel",
    "Opinion",
    "Local",
    "Technology",
    "Climate",
];
const AUTHORS: u64 = 60;
const CHANNELS: [&str; 6] = ["x", "facebook", "whatsapp", "newsletter", "print", "push"];
const TAGS: [&str; 10] =
    ["live", "video", "analysis", "exclusive", "election", "podcast", "quiz", "recipe", "budget", "weather"];
const WORDS: [&str; 48] = [
    "minister",
    "harbour",
    "election",
    "budget",
    "storm",
    "railway",
    "hospital",
    "teachers",
    "strike",
    "court",
    "verdict",
    "champion",
    "market",
    "prices",
    "energy",
    "winter",
    "bridge",
    "festival",
    "museum",
    "novel",
    "vaccine",
    "planet",
    "glacier",
    "forest",
    "village",
    "mayor",
    "police",
    "inquiry",
    "border",
    "treaty",
    "summit",
    "wages",
    "housing",
    "rents",
    "students",
    "library",
    "orchestra",
    "derby",
    "final",
    "coach",
    "satellite",
    "chips",
    "privacy",
    "robots",
    "drought",
    "river",
    "harvest",
    "ferry",
];

/// So many letters, by a number.
fn letters(mut n: u64, amount: usize) -> String {
    let mut letter = || {
        let at = usize::try_from(n % 27).unwrap_or(0);
        n /= 27;
        char::from(LETTERS[at])
    };
    (0..amount).map(|_| letter()).collect()
}

/// Codes by the numbers of their links.
pub(super) struct Codes {
    pub(super) lanes: Lane,
}

impl Codes {
    pub(super) fn of(&self, n: u64) -> String {
        let home = lane_of(&article_id(story(n)), self.lanes);
        let code = |choice| letters(position(n * CHOICES + choice), LENGTH);
        let at_home = (0..CHOICES).map(code).find(|code| lane_of(code, self.lanes) == home);
        at_home.unwrap_or_else(|| code(0))
    }
}

fn position(n: u64) -> u64 {
    u64::try_from(u128::from(n) * u128::from(STEP) % u128::from(CODES)).unwrap_or(0)
}

/// The number of a link's story.
pub(super) fn story(n: u64) -> u64 {
    n / 2
}

fn article_id(story: u64) -> String {
    format!("a{}", letters(mixed(story), 12))
}

/// What its hits are counted under, besides itself.
pub(super) fn facts(n: u64) -> LinkFacts {
    LinkFacts {
        channel: channel(n).map(Arc::from),
        section: Some(section(story(n)).into()),
        authors: authors(story(n)).into_iter().map(Arc::from).collect(),
    }
}

fn section(story: u64) -> &'static str {
    one(&SECTIONS, mixed(story) >> 8)
}

/// One, or one time in three two.
fn authors(story: u64) -> Vec<String> {
    let first = mixed(story) >> 16;
    let amount = if story.is_multiple_of(3) { 2 } else { 1 };
    (first..first + amount).map(|n| format!("Author {}", n % AUTHORS)).collect()
}

/// The first link of a story has none.
fn channel(n: u64) -> Option<&'static str> {
    (n % 2 == 1).then(|| one(&CHANNELS, mixed(n)))
}

fn title(story: u64) -> String {
    let words: Vec<&str> = (0..6).map(|word| one(&WORDS, mixed(story * 6 + word))).collect();
    format!("{} {story}", words.join(" "))
}

fn new_link(plan: &Plan, codes: &Codes, n: u64) -> Result<NewLink> {
    let story = story(n);
    let made = plan.from()? + i64::try_from(u128::from(n) * span_ms(plan) / u128::from(plan.links))?;
    let at = Timestamp::from_millisecond(made)?;
    let code = Code::parse(&codes.of(n)).map_err(|error| anyhow::anyhow!("link {n}: {error}"))?;
    let section = section(story);
    let url = format!("https://www.daily.example/{}/story-{story:08}.html", section.to_lowercase());
    let tags = if n.is_multiple_of(5) { vec![one(&TAGS, mixed(n)).to_owned()] } else { vec![] };
    let link = Link {
        code: code.clone(),
        target: Some(url.clone()),
        target_version: 1,
        article: None,
        follows_article: true,
        added: None,
        title: None,
        channel: channel(n).map(str::to_owned),
        campaign: n.is_multiple_of(20).then(|| "spring".to_owned()),
        tags,
        note: None,
        not_before: None,
        expires_at: None,
        expired_url: None,
        message: None,
        redirect_status: 302,
        forward_query: false,
        confidential: false,
        disabled: false,
        broken: None,
        retired_at: None,
        created_at: at,
        created_by: format!("user:editor-{:02}", mixed(n) % 40),
        via: Via::Api,
        updated_at: at,
        version: 1,
    };
    let facts = ArticleFacts {
        title: Some(title(story)),
        section: Some(section.to_owned()),
        authors: authors(story),
        published_at: Some(at),
        ..ArticleFacts::default()
    };
    let article = ArticleClaim {
        new_id: ArticleId(article_id(story).into()),
        url,
        address: None,
        site: "www.daily.example".into(),
        cms_id: None,
        aliases: vec![],
        facts,
        page: None,
        read: None,
    };
    let code = NewCode::Drawn([code].into_iter().collect());
    Ok(NewLink { tag: mixed(n ^ 1 << 63), code, article: Some(article), link, force_new: false })
}

fn span_ms(plan: &Plan) -> u128 {
    u128::from(plan.span) * u128::from(DAY_MS.unsigned_abs())
}

/// Makes all links, from the first on that is not known to be there. What was made already is met by its tag.
pub(super) async fn make(store: &Store, plan: &Plan, codes: &Arc<Codes>, progress: &Path) -> Result<()> {
    let known = match fs::read_to_string(progress) {
        Ok(text) => text.trim().parse().context("made.txt is no number")?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    let mut told = Progress::new("links", known, plan.links);
    let mut next = known;
    let mut made = known;
    while made < plan.links {
        let mut calls = JoinSet::new();
        for _ in 0..CALLS * 8 {
            let (from, to) = (next, (next + BATCH).min(plan.links));
            if from == to {
                break;
            }
            next = to;
            let (links, plan, codes) = (Arc::clone(&store.links), plan.clone(), Arc::clone(codes));
            if calls.len() >= CALLS {
                made += finished(&mut calls).await?;
                told.at(made);
            }
            calls.spawn(async move { batch(&*links, &plan, &codes, from, to).await });
        }
        while !calls.is_empty() {
            made += finished(&mut calls).await?;
            told.at(made);
        }
        fs::write(progress, made.to_string())?;
    }
    Ok(())
}

async fn finished(calls: &mut JoinSet<Result<u64>>) -> Result<u64> {
    calls.join_next().await.context("no call is under way")??
}

async fn batch(links: &dyn Links, plan: &Plan, codes: &Codes, from: u64, to: u64) -> Result<u64> {
    let new = (from..to).map(|n| new_link(plan, codes, n)).collect::<Result<Vec<_>>>()?;
    for creation in links.create(new, clock::now()).await? {
        match creation {
            Creation::Created(_) => {}
            Creation::Existing(found) | Creation::Taken(found) => {
                bail!("the link {} is there, and not by this", found.link.code)
            }
            Creation::NoneFree => bail!("a code of links {from} to {to} is another's"),
        }
    }
    Ok(to - from)
}
