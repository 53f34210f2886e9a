//! Every change of a link: who, when, what.

use jiff::Timestamp;

use crate::harness::{TestApp, Value, json};

#[tokio::test]
async fn every_change_is_kept_with_who_when_and_what() {
    let app = TestApp::start().await;
    let editor = app.as_role("editor").await;
    let before = Timestamp::now();
    let code = app.create(json!({ "url": "https://news.example.com/a", "title": "One" })).await;
    let code = code["code"].as_str().unwrap();
    editor.change(code, json!({ "title": "Two", "tags": ["t"] })).await.expect(200);
    app.change(code, json!({ "revert_to": 1 })).await.expect(200);
    app.delete(&format!("/links/{code}")).await.expect(204);
    let after = Timestamp::now();

    let items = app.all(&format!("/links/{code}/history")).await;
    let versions: Vec<&Value> = items.iter().map(|e| &e["version"]).collect();
    assert_eq!(versions, [4, 3, 2, 1], "newest first");
    let actions: Vec<&Value> = items.iter().map(|e| &e["action"]).collect();
    assert_eq!(actions, ["retired", "reverted", "changed", "created"]);
    let (first, by_editor) = (format!("key:{}", app.key_id()), format!("key:{}", editor.key_id()));
    let who: Vec<&Value> = items.iter().map(|e| &e["by"]).collect();
    assert_eq!(who, [&*first, &*first, &*by_editor, &*first]);
    assert_eq!(items[2]["changes"]["title"], json!({ "from": "One", "to": "Two" }));
    assert_eq!(items[2]["changes"]["tags"], json!({ "from": [], "to": ["t"] }));
    assert_eq!(items[2]["changes"].as_object().unwrap().len(), 2);
    assert_eq!(items[1]["changes"]["title"], json!({ "from": "Two", "to": "One" }));
    assert_eq!(items[3]["changes"]["target"]["to"], "https://news.example.com/a");
    for entry in &items {
        let at: Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
        let whole_ms = |t: Timestamp| t.as_millisecond();
        assert!((whole_ms(before)..=whole_ms(after)).contains(&whole_ms(at)), "{entry}");
    }
}

#[tokio::test]
async fn history_comes_in_pages() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    for version in 1..25 {
        let body = json!({ "version": version, "title": version.to_string() });
        app.patch(&format!("/links/{code}"), &body).await.expect(200);
    }
    let items = app.all(&format!("/links/{code}/history?limit=7")).await;
    let versions: Vec<u64> = items.iter().map(|e| e["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=25).rev().collect::<Vec<_>>());
    app.get("/links/nowhere/history").await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn the_audit_says_who_did_what() {
    let app = TestApp::start().await;
    let editor = app.as_role("editor").await;
    let code = editor.shorten("https://news.example.com/a").await;
    editor.change(&code, json!({ "title": "T" })).await.expect(200);
    editor.delete(&format!("/links/{code}")).await.expect(204);
    app.post("/users", &json!({ "name": "ada", "role": "viewer" })).await.expect(201);
    app.delete("/users/ada").await.expect(204);
    app.delete(&format!("/keys/{}", editor.key_id())).await.expect(204);

    let items = app.all("/audit?limit=2").await;
    let ids: Vec<u64> = items.iter().map(|e| e["id"].as_u64().unwrap()).collect();
    assert!(ids.windows(2).all(|w| w[0] > w[1]), "newest first, each once: {ids:?}");
    let (admin, by_editor) = (format!("key:{}", app.key_id()), format!("key:{}", editor.key_id()));
    let link = format!("link:{code}");
    let expected = [
        (&*admin, "key.revoked", &*by_editor),
        (&*admin, "user.disabled", "user:ada"),
        (&*admin, "user.created", "user:ada"),
        (&*by_editor, "link.retired", &*link),
        (&*by_editor, "link.changed", &*link),
        (&*by_editor, "link.created", &*link),
        (&*admin, "key.created", &*by_editor),
    ];
    for (entry, (by, action, object)) in items.iter().zip(expected) {
        assert_eq!(
            (&entry["by"], &entry["action"], &entry["object"]),
            (&json!(by), &json!(action), &json!(object))
        );
    }
    assert!(items.len() > expected.len(), "the first key is there too: {items:?}");
}
