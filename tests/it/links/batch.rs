//! Many links in one request; a bad one fails alone.

use crate::harness::{TestApp, Value, json};

fn item(i: usize) -> (Value, u64, Option<&'static str>) {
    let url = format!("https://news.example.com/{i}");
    match i % 50 {
        3 => (json!({ "url": "javascript:alert(1)" }), 422, Some("invalid_url")),
        7 => (json!({ "title": "no address" }), 422, Some("missing")),
        11 => (json!({ "url": url, "titel": "x" }), 422, Some("unknown_field")),
        13 => (json!("not an object"), 422, Some("wrong_type")),
        17 => (json!({ "url": 5 }), 422, Some("wrong_type")),
        19 => (json!({ "url": url, "code": "api" }), 422, Some("code_reserved")),
        23 => (json!({ "url": url, "channels": ["x"] }), 422, Some("invalid_value")),
        29 => (json!({ "url": url, "code": "taken" }), 409, Some("code_taken")),
        // The same as the item before it, made a moment ago in this very batch.
        31 => (json!({ "url": format!("https://news.example.com/{}", i - 1) }), 200, None),
        _ => (json!({ "url": url }), 201, None),
    }
}

#[tokio::test]
async fn a_thousand_with_bad_ones_in_between() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/first", "code": "taken" })).await;
    let items: Vec<_> = (0..1_000).map(item).collect();
    let links: Vec<&Value> = items.iter().map(|(body, ..)| body).collect();
    let answer = app.post("/links/batch", &json!({ "links": links })).await.expect(200).json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 1_000);
    for (i, (result, (body, status, error))) in results.iter().zip(&items).enumerate() {
        assert_eq!(result["status"], *status, "{i}: {body}: {result}");
        match error {
            Some(code) => {
                assert_eq!((&result["error"]["code"], &result["link"]), (&json!(code), &Value::Null), "{i}");
            }
            None => {
                assert_eq!(
                    (&result["link"]["target"], &result["error"]),
                    (&body["url"], &Value::Null),
                    "{i}"
                );
            }
        }
    }
    assert_eq!(results[31]["link"]["code"], results[30]["link"]["code"]);
    assert_eq!(results[29]["error"]["link"]["target"], "https://news.example.com/first");
    let made = items.iter().filter(|(_, status, _)| *status == 201).count();
    assert_eq!(app.all("/links?limit=200").await.len(), made + 1);
    let code = results[999]["link"]["code"].as_str().unwrap();
    assert_eq!(app.follow(code).await.expect(302).location(), "https://news.example.com/999");
}

#[tokio::test]
async fn how_many() {
    let app = TestApp::start().await;
    let many: Vec<_> =
        (0..1_001).map(|i| json!({ "url": format!("https://news.example.com/{i}") })).collect();
    for links in [json!([]), json!(many)] {
        let answer = app.post("/links/batch", &json!({ "links": links })).await;
        answer.expect_problem(422, "out_of_range", Some("links"));
    }
    assert_eq!(app.all("/links").await.len(), 0, "nothing of a refused batch is made");
}
