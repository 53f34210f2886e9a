//! The state of the list of links, as it stands in its address.
//!
//! Guarantees that each filter of the API can be had and taken away alone, and that what the list tells is known: one that
//! is found or sorted by what is secret leaves that out.

use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Status, Via};
use crate::domain::report::Range;
use crate::store::links::{LinkFilter, LinkOrder};
use crate::web::State;
use crate::web::staff::rows::maker;

/// The state of a view.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web::staff) struct View {
    pub(super) q: String,
    pub(super) section: String,
    pub(super) author: String,
    pub(super) channel: String,
    pub(super) campaign: String,
    pub(super) tag: String,
    pub(super) created_by: String,
    pub(super) via: String,
    pub(super) status: String,
    /// Dates in the newsroom's zone.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) sort: String,
    /// The last row of the page before: its sort key and its code.
    pub(super) key: String,
    pub(super) code: String,
}

pub(super) const STATUSES: [(&str, &str); 8] = [
    ("active", "Active"),
    ("scheduled", "Not open yet"),
    ("reserved", "Printed, still without target"),
    ("broken", "Target broken"),
    ("disabled", "Disabled"),
    ("expired", "Ended"),
    ("withdrawn", "Withdrawn"),
    ("retired", "Retired"),
];
pub(super) const WAYS: [(&str, &str); 5] = [
    ("page", "These pages"),
    ("bookmarklet", "Bookmarklet"),
    ("button", "Button on articles"),
    ("api", "API"),
    ("import", "Import"),
];
pub(super) const SORTS: [(&str, &str); 6] = [
    ("-created", "Newest first"),
    ("created", "Oldest first"),
    ("-updated", "Last changed first"),
    ("title", "By title"),
    ("-title", "By title, backwards"),
    ("code", "By code"),
];

/// A filter that is on: what it is, and the address of the list without it.
pub(super) struct Chip {
    pub(super) words: String,
    pub(super) href: String,
}

fn words<'a>(of: &[(&'a str, &'a str)], name: &'a str) -> &'a str {
    of.iter().find(|(its, _)| *its == name).map_or(name, |(_, words)| words)
}

impl View {
    /// Filters with what people call them.
    fn filters(&self) -> [(&'static str, &'static str, &str); 11] {
        [
            ("q", "Search", &self.q),
            ("status", "Status", &self.status),
            ("section", "Section", &self.section),
            ("author", "Author", &self.author),
            ("channel", "Channel", &self.channel),
            ("campaign", "Campaign", &self.campaign),
            ("tag", "Tag", &self.tag),
            ("created_by", "Made by", &self.created_by),
            ("via", "Made through", &self.via),
            ("from", "From", &self.from),
            ("to", "To", &self.to),
        ]
    }

    /// True if something beside the search is asked for.
    pub(super) fn is_filtered(&self) -> bool {
        self.filters().iter().any(|(.., value)| !value.is_empty())
    }

    /// The list's address without one filter (""  for with all), at its beginning.
    fn without(&self, gone: &str) -> Serializer<'static, String> {
        let mut query = Serializer::new(String::new());
        let parts = self.filters().map(|(name, _, value)| (name, value));
        let parts = parts.into_iter().chain([("sort", self.sort.as_str())]);
        for (name, value) in parts.filter(|(name, value)| *name != gone && !value.is_empty()) {
            query.append_pair(name, value);
        }
        query
    }

    /// The view without its place, as a query.
    pub(super) fn query(&self) -> String {
        self.without("").finish()
    }

    pub(super) fn chips(&self) -> Vec<Chip> {
        let on = self.filters().into_iter().filter(|(.., value)| !value.is_empty());
        on.map(|(name, label, value)| {
            let value = match name {
                "status" => words(&STATUSES, value).to_owned(),
                "via" => words(&WAYS, value).to_owned(),
                "created_by" => maker(value),
                _ => value.to_owned(),
            };
            let query = self.without(name).finish();
            Chip { words: format!("{label}: {value}"), href: format!("/-/links?{query}") }
        })
        .collect()
    }

    /// This view after such a row.
    pub(super) fn after(&self, key: &str, code: &str) -> String {
        let mut query = self.without("");
        query.append_pair("key", key).append_pair("code", code);
        format!("/-/links?{}", query.finish())
    }

    /// Refuses what is no status, no way and no order: it would be taken for all of them.
    fn check(&self) -> Result<(), Refusal> {
        let none = |field: &'static str, what: &str, value: &str| {
            let value: String = value.chars().take(40).collect();
            Err(Refusal::field(Reason::InvalidValue, field, format!("there is no {what} “{value}”")))
        };
        if !self.status.is_empty() && self.status != "broken" && Status::from_name(&self.status).is_none() {
            return none("status", "status", &self.status);
        }
        if !self.via.is_empty() && Via::from_name(&self.via).is_none() {
            return none("via", "way", &self.via);
        }
        match self.sort.is_empty() || LinkOrder::parse(&self.sort).is_some() {
            true => Ok(()),
            false => none("sort", "order", &self.sort),
        }
    }

    /// In which order; the newest first, if it says none.
    pub(super) fn order(&self) -> (LinkOrder, bool) {
        LinkOrder::parse(&self.sort).unwrap_or((LinkOrder::Created, true))
    }

    /// True if the list tells what its links say.
    fn tells(&self) -> bool {
        let by = [&self.q, &self.section, &self.author];
        by.iter().any(|value| !value.is_empty()) || self.order().0 == LinkOrder::Title
    }

    /// What the store is asked for.
    pub(super) fn filter(
        &self,
        state: &State,
        viewer: &Actor,
        now: Timestamp,
    ) -> Result<LinkFilter, Refusal> {
        let text = |value: &String| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let (from, to) = (text(&self.from), text(&self.to));
        let range = Range::parse(
            Some(from.as_deref().unwrap_or("1970-01-02")),
            Some(to.as_deref().unwrap_or("2069-12-31")),
            state.reports.calendar(),
            now,
        )?;
        self.check()?;
        let second = |second| Timestamp::from_second(second).ok();
        // People write a colleague's name as they know it.
        let created_by = text(&self.created_by)
            .map(|name| if name.contains(':') || name == "button" { name } else { format!("user:{name}") });
        Ok(LinkFilter {
            q: text(&self.q),
            section: text(&self.section),
            author: text(&self.author),
            channel: text(&self.channel),
            campaign: text(&self.campaign),
            tag: text(&self.tag),
            created_by,
            via: Via::from_name(&self.via),
            status: Status::from_name(&self.status),
            broken: self.status == "broken",
            viewer: (self.tells() && viewer.role != Role::Admin).then(|| viewer.name.clone()),
            from: from.and(second(range.from)),
            to: to.and(second(range.to)),
            ..LinkFilter::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_a_chip_that_takes_away_itself_alone() {
        let view =
            View { tag: "a b".into(), status: "scheduled".into(), sort: "code".into(), ..View::default() };
        let chips = view.chips();
        let said: Vec<(&str, &str)> =
            chips.iter().map(|chip| (chip.words.as_str(), chip.href.as_str())).collect();
        assert_eq!(
            said,
            [
                ("Status: Not open yet", "/-/links?tag=a+b&sort=code"),
                ("Tag: a b", "/-/links?status=scheduled&sort=code")
            ]
        );
        assert_eq!(view.after("k", "c"), "/-/links?status=scheduled&tag=a+b&sort=code&key=k&code=c");
        assert!(view.is_filtered() && !View { sort: "code".into(), ..View::default() }.is_filtered());
    }

    #[test]
    fn what_is_not_there_is_refused_where_it_stands() {
        let wrong = |view: View| view.check().err().and_then(|refusal| refusal.field);
        assert_eq!(wrong(View { status: "zzz".into(), ..View::default() }).as_deref(), Some("status"));
        assert_eq!(wrong(View { via: "zzz".into(), ..View::default() }).as_deref(), Some("via"));
        assert_eq!(wrong(View { sort: "-clicks".into(), ..View::default() }).as_deref(), Some("sort"));
        for (status, _) in STATUSES {
            assert_eq!(wrong(View { status: status.into(), ..View::default() }), None, "{status}");
        }
        for (via, _) in WAYS {
            assert_eq!(wrong(View { via: via.into(), ..View::default() }), None, "{via}");
        }
        for (sort, _) in SORTS {
            assert_eq!(wrong(View { sort: sort.into(), ..View::default() }), None, "{sort}");
        }
    }

    #[test]
    fn orders_are_those_of_the_api() {
        let order = |sort: &str| View { sort: sort.into(), ..View::default() }.order();
        for (sort, _) in SORTS {
            assert_eq!(order(sort).1, sort.starts_with('-'), "{sort}");
        }
        assert_eq!(order(""), (LinkOrder::Created, true));
        assert_eq!(order("-clicks"), (LinkOrder::Created, true));
    }
}
