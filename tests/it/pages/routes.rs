//! Staff's routes, read from where they are written, so that none is forgotten by a test that walks them.

use std::path::Path;

/// A route of staff's pages.
#[derive(Clone, Debug)]
pub struct Route {
    /// As it is written, with `{code}` and the like.
    pub path: String,
    pub get: bool,
    pub post: bool,
}

fn sources(dir: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

fn staff() -> Vec<String> {
    let mut texts = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/staff"), &mut texts);
    texts
}

/// All of them.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![];
    for text in staff() {
        for call in text.split(".route(").skip(1) {
            let call = call.split([';']).next().unwrap().split(".layer(").next().unwrap();
            let Some(path) = call.split('"').nth(1).filter(|path| path.starts_with("/-/")) else { continue };
            let (get, post) = (call.contains("get("), call.contains("post("));
            assert!(get || post, "{path}");
            routes.push(Route { path: path.to_owned(), get, post });
        }
    }
    assert!(routes.len() > 20 && routes.iter().filter(|route| route.post).count() > 10, "{routes:?}");
    routes
}

/// Parts of the settings, and whether they are for admins alone.
pub fn tabs() -> Vec<(String, bool)> {
    let text = staff().into_iter().find(|text| text.contains("const TABS: [(&str, &str, Role)")).unwrap();
    let list = text.split_once("const TABS: [(&str, &str, Role)").unwrap().1.split_once("];").unwrap().0;
    let of = |line: &str| Some((line.split('"').nth(1)?.to_owned(), line.contains("Role::Admin")));
    let tabs: Vec<(String, bool)> = list.lines().skip(1).filter_map(of).collect();
    assert!(tabs.len() > 8 && tabs.iter().any(|(_, admins)| !admins), "{tabs:?}");
    tabs
}

/// Addresses that a route is of, in a newsroom with this link and this story.
pub fn addresses(path: &str, code: &str, story: &str) -> Vec<String> {
    let path = path.replace("{code}", code).replace("{id}", story);
    match path.contains("{tab}") {
        true => tabs().iter().map(|(tab, _)| path.replace("{tab}", tab)).collect(),
        false => vec![path],
    }
}

/// All pages that somebody who is signed in may look at, without what answers with a part of a page, a file, or leads
/// on: those have tests of their own.
pub fn pages(code: &str, story: &str) -> Vec<String> {
    let no_pages = ["/-/card", "/-/shared", "/-/login", "/-/digest/confirm", "/-/digest/end"];
    let is_page = |route: &Route| {
        route.get && !no_pages.contains(&route.path.as_str()) && !route.path.contains("{file}")
    };
    let mut pages: Vec<String> = routes()
        .iter()
        .filter(|route| is_page(route))
        .flat_map(|route| addresses(&route.path, code, story))
        .filter(|path| {
            (!path.contains("/links/") || !code.is_empty())
                && (!path.contains("/articles/") || !story.is_empty())
        })
        .collect();
    pages.extend(
        [
            "overview", "article", "link", "section", "author", "channel", "campaign", "creator", "source",
            "country", "times",
        ]
        .map(|tab| format!("/-/reports?tab={tab}")),
    );
    pages.sort();
    pages.dedup();
    pages
}
