//! Links over several nodes and over a bad line: one code for a story however many ask, nothing done twice, nothing
//! left half done.

mod lean;
mod line;
mod many;
mod stories;

use slugline::domain::article::ArticleId;
use slugline::store::Store;
use slugline::store::conformance::{ask, code};
use slugline::store::links::{ArticleClaim, Creation, NewCode, NewLink};

/// A claim with an id of its own, as each node draws one.
fn claim(n: u64, path: &str, cms_id: Option<&str>) -> ArticleClaim {
    ArticleClaim {
        new_id: ArticleId(format!("a-{path}-{n}").into()),
        cms_id: cms_id.map(str::to_owned),
        ..slugline::store::conformance::claim(path)
    }
}

/// A request for a link of the channel "x", so that the way to the story does not matter to its slot.
fn request(n: u64, store: &Store, claim: ArticleClaim) -> NewLink {
    let codes = (0..store.links.wanted_codes()).map(|i| code(&format!("c{n}-{i}"))).collect();
    let mut new = ask(n, "", &[]);
    (new.code, new.link.target, new.link.channel) =
        (NewCode::Drawn(codes), Some(claim.url.clone()), Some("x".into()));
    NewLink { article: Some(claim), ..new }
}

/// The code, and whether it was made.
fn told(creation: &Creation) -> (String, bool) {
    match creation {
        Creation::Created(found) => (found.link.code.to_string(), true),
        Creation::Existing(found) => (found.link.code.to_string(), false),
        other => panic!("{other:?}"),
    }
}
