//! The site of the newsroom that is not there: a front page and an article page for each story, with the button.
//!
//! Pages as text; who serves them is not known here.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;

use super::newsroom::{NAME, Story};

/// Stories on its front page.
const FRONT: usize = 24;

/// All its pages.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    home: String,
    public_url: String,
    stories: Vec<Story>,
    by_path: HashMap<String, usize>,
}

#[derive(Template)]
#[template(path = "article.html")]
struct Article<'a> {
    newsroom: &'a str,
    home: &'a str,
    public_url: &'a str,
    story: &'a Story,
    address: String,
    authors: String,
}

#[derive(Template)]
#[template(path = "front.html")]
struct Front<'a> {
    newsroom: &'a str,
    home: &'a str,
    stories: Vec<&'a Story>,
}

impl Site {
    pub(super) fn new(stories: Vec<Story>, home: &str, public_url: &str) -> Site {
        let by_path = stories.iter().zip(0..).map(|(story, at)| (story.path.clone(), at)).collect();
        Site(Arc::new(Inner { home: home.to_owned(), public_url: public_url.to_owned(), stories, by_path }))
    }

    /// The page at a path; None where there is none.
    #[must_use]
    pub fn page(&self, path: &str) -> Option<String> {
        let site = &*self.0;
        let rendered = if path == "/" {
            let stories = site.stories.iter().rev().take(FRONT).collect();
            Front { newsroom: NAME, home: &site.home, stories }.render()
        } else {
            let story = site.by_path.get(path).and_then(|at| site.stories.get(*at))?;
            let article = Article {
                newsroom: NAME,
                home: &site.home,
                public_url: &site.public_url,
                story,
                address: format!("{}{}", site.home, story.path),
                authors: story.authors.join(" and "),
            };
            article.render()
        };
        rendered.inspect_err(|error| tracing::error!(%error, "a page of the demo could not be made")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::newsroom::stories;

    #[test]
    fn every_story_has_a_page_with_the_button() {
        let all = stories(1, "2026-03-04T10:00:00Z".parse().unwrap());
        let site = Site::new(all.clone(), "http://127.0.0.1:8081", "http://127.0.0.1:8080");
        for story in &all {
            let page = site.page(&story.path).unwrap();
            let canonical = format!("<link rel=\"canonical\" href=\"http://127.0.0.1:8081{}\">", story.path);
            assert!(page.contains(&canonical) && page.contains("<short-url"), "{page}");
            assert!(page.contains("src=\"http://127.0.0.1:8080/widget.js\""), "{page}");
        }
        assert!(site.page("/").unwrap().contains(&all.last().unwrap().path));
        assert_eq!(site.page("/nothing"), None);
    }
}
