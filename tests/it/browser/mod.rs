//! What people do with pages, in a real browser.

mod button;
mod desk;
mod driver;
mod numbers;
pub mod page;
mod readers;
mod staff;

use page::{Setting, browse};
use serde_json::json;

#[tokio::test]
async fn what_a_page_says_on_the_console_is_seen_and_what_is_typed_arrives() {
    browse(Setting::default(), async |page| {
        page.go("data:text/html,<title>A</title><label>Name <input id=name></label>").await;
        page.click("#name").await;
        page.type_text("Grüße, 7").await;
        assert_eq!(page.run("return document.querySelector('#name').value", vec![]).await, json!("Grüße, 7"));
        page.no_errors().await;
        page.run("setTimeout(() => { throw new Error('over here') })", vec![]).await;
        crate::harness::eventually("the error is told", async || {
            page.errors().await.iter().any(|error| error.contains("over here")).then_some(())
        })
        .await;
    })
    .await;
}
