//! A newsroom to look at: stories, links and four weeks of hits, all of it made up, and its own site with the button.
//!
//! Guarantees that everything goes the way that a newsroom's own does: links through the service that makes links, hits
//! through the journal. So what it shows is what Slugline does, and `slugline verify` holds. Starts nothing and listens
//! nowhere.

mod chance;
mod newsroom;
mod readers;
mod site;

use std::time::Duration;

use anyhow::Context;
use jiff::{Timestamp, ToSpan};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::article::ArticleFacts;
use crate::domain::lane::lane_of;
use crate::domain::link::{Broken, Found, Via};
use crate::links::codes::Entropy;
use crate::links::request::{Change, NewLink};
use crate::links::{ArticleChange, NoteChange};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use chance::Chance;
use newsroom::{DESK, Story};
use readers::Followed;

pub use newsroom::{NAME, ZONE};
pub use site::Site;

/// What channels add: `utm_source`, which is their own name, and `utm_medium`.
pub const CHANNELS: [(&str, &str); 6] = [
    ("x", "social"),
    ("facebook", "social"),
    ("whatsapp", "messaging"),
    ("newsletter", "email"),
    ("push", "push"),
    ("print", "print"),
];
/// Where a link is shared, in how many of a hundred stories, and how many follow it there (a story's own link: 100).
const SHARED: [(&str, u64, u64); 6] = [
    ("x", 75, 50),
    ("facebook", 65, 90),
    ("whatsapp", 45, 60),
    ("newsletter", 40, 110),
    ("push", 10, 260),
    ("print", 12, 8),
];
/// Codes that somebody chose, by how the story's headline begins.
const CHOSEN: [(&str, &str); 5] = [
    ("Election night", "election-night"),
    ("Live: the derby", "derby"),
    ("A map of every street", "roadworks"),
    ("Is the tap water safe?", "tap-water"),
    ("Harbour bridge", "harbour-bridge"),
];
/// What the retargeted link leads to in the end.
const RETARGETED: (&str, &str) = ("derby", "United come from two down");
/// The story that was taken back, and the one whose page is gone.
const WITHDRAWN: &str = "Pension fund sells";
const GONE: &str = "Album of the week";
/// Codes that are asked for and that nobody has: one of each ends in a slip. And how often.
const MISTYPED: [(&str, u32); 4] = [("derbi", 9), ("spring-postr", 6), ("tap-watr", 3), ("festival", 2)];
/// Links that new visits go to, the newest.
const LIVELY: usize = 120;
/// Between two new visits, in milliseconds.
const PAUSES: [i64; 6] = [60, 200, 400, 800, 1_500, 4_000];

/// The newsroom of a seed, at some time, with its site.
pub struct Demo {
    stories: Vec<Story>,
    chance: Chance,
    seed: u64,
    now: Timestamp,
    /// Scheme, host and port of its site.
    home: String,
}

impl Demo {
    /// The newsroom whose site is at `home` (without a slash at its end).
    #[must_use]
    pub fn new(seed: u64, home: &str, now: Timestamp) -> Demo {
        let stories = newsroom::stories(seed, now);
        Demo { stories, chance: Chance::new(seed ^ 0x5eed), seed, now, home: home.to_owned() }
    }

    /// Its site, whose pages have the button of the service at `public_url`.
    #[must_use]
    pub fn site(&self, public_url: &str) -> Site {
        let there = self.stories.iter().filter(|story| !story.title.starts_with(GONE));
        Site::new(there.cloned().collect(), &self.home, public_url)
    }

    /// An article to look at: its newest.
    #[must_use]
    pub fn article(&self) -> String {
        let stands = |story: &&Story| ![WITHDRAWN, GONE].iter().any(|begins| story.title.starts_with(begins));
        self.stories.iter().rev().find(stands).map_or_else(|| self.home.clone(), |story| self.address(story))
    }

    fn address(&self, story: &Story) -> String {
        format!("{}{}", self.home, story.path)
    }

    /// Fills a store that has no links yet; false, and nothing is done, for one that has.
    ///
    /// # Errors
    /// The store's.
    pub async fn fill(&mut self, state: &State) -> anyhow::Result<bool> {
        if !newest(state, 1, self.now).await?.is_empty() {
            return Ok(false);
        }
        for (name, role) in
            DESK.iter().zip([Role::Editor, Role::Creator, Role::Creator, Role::Editor, Role::Creator])
        {
            let weeks_ago = self.now.checked_sub((24 * newsroom::DAYS + 48).hours())?;
            state.accounts.add_user(name, role, None, "demo", weeks_ago).await?;
        }
        let lanes = state.tallies.dataset().await?.lanes;
        let mut followed = vec![];
        for at in 0..self.stories.len() {
            let story = self.stories[at].clone();
            self.publish(state, &story, at, lanes, &mut followed).await?;
        }
        self.turns(state, &mut followed).await?;
        self.notes(state).await?;
        self.odds_and_ends(state).await?;

        let (chance, now) = (&mut self.chance, self.now);
        let mut visits: Vec<_> =
            followed.iter().flat_map(|link| readers::visits(chance, link, now)).collect();
        visits.sort_by_key(|visit| visit.at_ms);
        for visit in &visits {
            state.hits.record(&visit.hit());
        }
        tracing::info!(stories = self.stories.len(), links = followed.len(), hits = visits.len(), "made up");
        Ok(true)
    }

    /// Makes a story's links: its own when it is published, those of channels soon after.
    async fn publish(
        &mut self,
        state: &State,
        story: &Story,
        number: usize,
        lanes: u16,
        followed: &mut Vec<Followed>,
    ) -> anyhow::Result<()> {
        let chance = &mut self.chance;
        let actor = Actor { name: format!("user:{}", chance.one(&DESK)), role: Role::Editor };
        let channels: Vec<(&str, u64)> = SHARED
            .iter()
            .filter(|(_, often, _)| chance.percent(*often))
            .map(|(channel, _, people)| (*channel, *people))
            .collect();
        let shared = story.at.checked_add(chance.between(2, 15).minutes())?.min(self.now);
        let chosen = CHOSEN.iter().find(|(begins, _)| story.title.starts_with(begins));
        let request = NewLink {
            url: Some(self.address(story)),
            code: chosen.map(|(_, code)| (*code).to_owned()),
            tags: (story.heat > 300).then(|| vec!["breaking".to_owned()]),
            cms_id: Some(format!("np-{}", 20_400 + number)),
            article: Some(facts(story)),
            ..NewLink::default()
        };
        let entropy = |part: &str| Entropy::derived("demo", &format!("{}/{number}/{part}", self.seed));
        let own = state.links.create(request, &actor, Via::Api, &entropy("own"), story.at).await?;
        let mut made: Vec<(Found, u64)> = own.into_iter().map(|made| (made.found, 100)).collect();
        if !channels.is_empty() {
            let request = NewLink {
                url: Some(self.address(story)),
                channels: Some(channels.iter().map(|(channel, _)| (*channel).to_owned()).collect()),
                ..NewLink::default()
            };
            let shares = state.links.create(request, &actor, Via::Page, &entropy("shares"), shared).await?;
            made.extend(
                shares.into_iter().map(|made| made.found).zip(channels.iter().map(|(_, people)| *people)),
            );
        }
        followed.extend(made.into_iter().map(|(found, people)| Followed {
            lane: lane_of(&found.link.code.key(), lanes),
            code: found.link.code.to_string(),
            channel: found.link.channel.clone(),
            at: found.link.created_at,
            retargeted: None,
            people: story.heat * people / 65,
        }));
        Ok(())
    }

    /// What becomes of some links: one leads elsewhere, one story is taken back, one page is gone.
    async fn turns(&self, state: &State, followed: &mut [Followed]) -> anyhow::Result<()> {
        let desk = Actor { name: format!("user:{}", DESK[0]), role: Role::Editor };
        let (code, to) = RETARGETED;
        let found = state.links.get(code).await?;
        let at = found.link.created_at.checked_add(110.minutes())?.min(self.now);
        let url =
            self.stories.iter().find(|story| story.title.starts_with(to)).map(|story| self.address(story));
        let change = Change { version: Some(found.link.version), url: url.map(Some), ..Change::default() };
        let changed = state.links.change(code, change, &desk, at).await?;
        if let Some(link) = followed.iter_mut().find(|link| link.code == code) {
            link.retargeted = Some((at, changed.link.target_version));
        }

        let withdrawn = self.found_by_title(state, WITHDRAWN).await?;
        let article = withdrawn.article.context("a story has no article")?;
        let change = ArticleChange {
            version: Some(article.version),
            withdrawn: Some(Some(true)),
            message: Some(Some(
                "A figure in this report was wrong. We have taken it back and are checking it.".into(),
            )),
            ..ArticleChange::default()
        };
        let at = article.created_at.checked_add(26.hours())?.min(self.now);
        state.links.change_article(&article.id, change, &desk, at).await?;

        let gone = self.found_by_title(state, GONE).await?;
        if let Some(target) = &gone.link.target {
            let since = gone.link.created_at.checked_add(50.hours())?.min(self.now);
            let broken = Broken { target: target.clone(), since, status: Some(404), proposal: None };
            state.links.store().set_broken(&gone.link.code, Some(broken), target).await?;
        }
        Ok(())
    }

    /// What the desk noted beside the numbers of the story that most people read.
    async fn notes(&self, state: &State) -> anyhow::Result<()> {
        let desk = Actor { name: format!("user:{}", DESK[0]), role: Role::Editor };
        let Some(story) = self.stories.iter().max_by_key(|story| story.heat) else { return Ok(()) };
        let found = self.found_by_title(state, story.title).await?;
        let article = found.article.context("a story has no article")?;
        let at = story.at.checked_add(25.minutes())?.min(self.now);
        let push = NoteChange { at: Some(at), text: "Push to all phones".into() };
        let change = ArticleChange {
            version: Some(article.version),
            notes: Some(Some(vec![push])),
            ..ArticleChange::default()
        };
        state.links.change_article(&article.id, change, &desk, at).await?;
        Ok(())
    }

    async fn found_by_title(&self, state: &State, begins: &str) -> anyhow::Result<Found> {
        let story = self.stories.iter().find(|story| story.title.starts_with(begins));
        let story = story.with_context(|| format!("there is no story \"{begins}\""))?;
        let filter = LinkFilter { q: Some(story.path.clone()), ..LinkFilter::default() };
        let page = LinkPage { filter, order: LinkOrder::Created, descending: false, after: None, limit: 1 };
        let found = state.links.store().list(page, self.now).await?;
        found.into_iter().next().with_context(|| format!("\"{begins}\" has no link"))
    }

    /// An embargo, a code on paper that leads nowhere yet, and one whose time is over.
    async fn odds_and_ends(&self, state: &State) -> anyhow::Result<()> {
        let desk = Actor { name: format!("user:{}", DESK[3]), role: Role::Editor };
        let at = |hours: i64| self.now.checked_add(hours.hours());
        let embargo = NewLink {
            url: Some(format!("{}/politics/sea-wall-inquiry-the-findings", self.home)),
            code: Some("sea-wall".into()),
            title: Some("Sea wall inquiry: the findings".into()),
            not_before: Some(at(7)?),
            confidential: Some(true),
            note: Some("Under embargo until the press conference.".into()),
            ..NewLink::default()
        };
        let reserved = NewLink {
            code: Some("spring-poster".into()),
            reserve: Some(true),
            title: Some("Poster for the spring festival, at the printer's".into()),
            ..NewLink::default()
        };
        let expired = NewLink {
            url: Some(format!("{}/culture/quiz", self.home)),
            code: Some("quiz".into()),
            title: Some("The summer quiz".into()),
            expires_at: Some(at(-30)?),
            ..NewLink::default()
        };
        for (request, made) in [(embargo, at(-3)?), (reserved, at(-50)?), (expired, at(-200)?)] {
            state.links.create(request, &desk, Via::Page, &Entropy::System, made).await?;
        }
        Ok(())
    }

    /// New visits to the newest links, until `stop`.
    ///
    /// # Errors
    /// The store's.
    pub async fn go_on(&mut self, state: &State, stop: CancellationToken) -> anyhow::Result<()> {
        let lanes = state.tallies.dataset().await?.lanes;
        // These are in memory only, and gone with a restart.
        for (code, times) in MISTYPED {
            (0..times).for_each(|_| state.orphans.count(code, clock::now_ms()));
        }
        let newest = newest(state, LIVELY, self.now).await?;
        let open = newest.iter().filter(|found| found.status(self.now).missed().is_none());
        let lively: Vec<Followed> = open
            .map(|found| Followed {
                lane: lane_of(&found.link.code.key(), lanes),
                code: found.link.code.to_string(),
                channel: found.link.channel.clone(),
                at: found.link.created_at,
                retargeted: Some((found.link.created_at, found.link.target_version)),
                people: 0,
            })
            .collect();
        while !lively.is_empty() {
            let pause = u64::try_from(self.chance.by_quantiles(&PAUSES)).unwrap_or(0);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
            // The newer, the likelier.
            let last = i64::try_from(lively.len()).unwrap_or(1);
            let at = self.chance.by_quantiles(&[0, (last / 12).max(1), (last / 3).max(1), last]);
            let link = usize::try_from(at).ok().and_then(|at| lively.get(at)).unwrap_or(&lively[0]);
            let visit = readers::visit(&mut self.chance, link, clock::now_ms());
            state.hits.record(&visit.hit());
        }
        Ok(())
    }
}

/// The links that were made last.
async fn newest(state: &State, limit: usize, now: Timestamp) -> anyhow::Result<Vec<Found>> {
    let filter = LinkFilter::default();
    let page = LinkPage { filter, order: LinkOrder::Created, descending: true, after: None, limit };
    Ok(state.links.store().list(page, now).await?)
}

fn facts(story: &Story) -> ArticleFacts {
    ArticleFacts {
        title: Some(story.title.to_owned()),
        section: Some(story.section.to_owned()),
        authors: story.authors.iter().map(|author| (*author).to_owned()).collect(),
        published_at: Some(story.at),
        language: Some("en".into()),
        ..ArticleFacts::default()
    }
}
