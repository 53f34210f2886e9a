//! Top lists, the largest rows of each; and where a row of a list leads.

use super::Subject;
use crate::domain::report::ReportScope;
use crate::domain::tally::Counts;
use crate::reports::{By, Order};
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::charts::behind;
use crate::web::staff::format::{Times, number, share};
use crate::web::staff::question::{Address, When, question};

/// Rows of a panel: so many that panels have one height.
const ROWS: usize = 8;

/// A top list.
pub(super) struct Panel {
    pub(super) name: &'static str,
    /// All of it.
    pub(super) href: Option<String>,
    pub(super) rows: Vec<PanelRow>,
}

/// A row of it.
pub(super) struct PanelRow {
    pub(super) bar: String,
    pub(super) label: String,
    pub(super) href: Option<String>,
    pub(super) value: String,
    pub(super) share: String,
}

/// What is shown of clicks.
pub(super) const CLICKS: [(By, &str); 8] = [
    (By::Channel, "Channels"),
    (By::Source, "Sources"),
    (By::Medium, "Ways they came"),
    (By::Country, "Countries"),
    (By::Device, "Devices"),
    (By::Browser, "Browsers"),
    (By::Os, "Systems"),
    (By::Trigger, "How the link was opened"),
];
/// What is shown of other hits.
pub(in crate::web::staff) const OTHERS: [(By, &str); 2] =
    [(By::Preview, "Previews, by network"), (By::Bot, "Bots, by kind")];

/// A panel of a subject.
pub(super) async fn panel(
    state: &State,
    subject: &Subject<'_>,
    (by, name): (By, &'static str),
    times: &Times,
) -> Result<Panel> {
    let order = Order::usual(by);
    let asked = question(state, subject.scope.clone(), subject.range, times.now);
    let top = state.reports.top(&asked, by, order, ROWS).await?;
    let count = |counts: &Counts| order.of(counts);
    let (all, most) = (count(&top.total), top.rows.first().map_or(0, |row| count(&row.counts)));
    let when = subject.when.elsewhere(subject.range, state.reports.calendar());
    let href = |value: &str| leads(&subject.scope, by, value, &when).filter(|_| subject.linked);
    let rows = top.rows.iter().filter(|row| count(&row.counts) > 0).map(|row| PanelRow {
        bar: behind(count(&row.counts), most),
        label: row.label.clone(),
        href: href(&row.value),
        value: number(count(&row.counts)),
        share: share(count(&row.counts), all),
    });
    let whole = view(&subject.scope, vec![("tab", by.as_str().to_owned())]).at(&when);
    Ok(Panel { name, href: Some(whole).filter(|_| subject.linked), rows: rows.collect() })
}

/// The address of reports about a scope.
fn view(scope: &ReportScope, mut view: Vec<(&'static str, String)>) -> Address {
    if *scope != ReportScope::Site {
        view.push(("scope", scope.to_string()));
    }
    Address { path: "/-/reports".into(), view }
}

/// Where a link's or story's numbers are as a report, and as a file.
pub(super) fn elsewhere(state: &State, subject: &Subject<'_>) -> Option<(String, String)> {
    let own = matches!(subject.scope, ReportScope::Link(_) | ReportScope::Article(_)) && subject.linked;
    let when = subject.when.elsewhere(subject.range, state.reports.calendar());
    own.then(|| {
        let report = view(&subject.scope, vec![]);
        let file = Address { path: "/-/reports/csv".into(), ..report.clone() };
        (report.at(&when), file.at(&when))
    })
}

/// Where a row leads: what names a scope, to its numbers; any other value, to how it went in the scope given. Nothing
/// is known of hosts by themselves.
pub(in crate::web::staff) fn leads(scope: &ReportScope, by: By, value: &str, when: &When) -> Option<String> {
    let named = value.to_owned();
    let own = match by {
        By::Link => return Some(Address { path: format!("/-/links/{value}"), view: vec![] }.at(when)),
        By::Article => return Some(Address { path: format!("/-/articles/{value}"), view: vec![] }.at(when)),
        By::Section => ReportScope::Section(named),
        By::Author => ReportScope::Author(named),
        By::Channel => ReportScope::Channel(named),
        By::Campaign => ReportScope::Campaign(named),
        By::Creator => ReportScope::Creator(named),
        By::Host => return None,
        _ => {
            let of_value = vec![("tab", by.as_str().to_owned()), ("value", named)];
            return Some(view(scope, of_value).at(when));
        }
    };
    Some(view(&own, vec![]).at(when))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lead_to_the_numbers_of_what_they_name() {
        let when = When { period: "7d".into(), ..When::default() };
        let of = |scope: &str, by, value: &str| leads(&ReportScope::parse(scope).unwrap(), by, value, &when);
        let table = [
            ("site", By::Link, "kx7", "/-/links/kx7?period=7d"),
            ("section:World", By::Article, "a1", "/-/articles/a1?period=7d"),
            ("link:kx7", By::Section, "World News", "/-/reports?scope=section%3AWorld+News&period=7d"),
            ("site", By::Campaign, "c", "/-/reports?scope=campaign%3Ac&period=7d"),
            ("site", By::Country, "AT", "/-/reports?tab=country&value=AT&period=7d"),
            (
                "link:kx7",
                By::Source,
                "<b>&x",
                "/-/reports?tab=source&value=%3Cb%3E%26x&scope=link%3Akx7&period=7d",
            ),
        ];
        for (scope, by, value, href) in table {
            assert_eq!(of(scope, by, value).as_deref(), Some(href));
        }
        assert_eq!(of("site", By::Host, "x.example"), None);
    }
}
