//! How a code may be written: glued punctuation, case, QR codes.

use crate::harness::{TestApp, Value, json};

#[tokio::test]
async fn what_is_forgiven() {
    let app = TestApp::start().await;
    let target = "https://news.example.com/a";
    app.create(json!({ "url": target, "code": "Night-Desk" })).await;
    let forgiven = [
        "Night-Desk",
        "Night-Desk/",
        "Night-Desk.",
        "Night-Desk,",
        "Night-Desk;",
        "Night-Desk)",
        "Night-Desk]",
        "Night-Desk).",
        "Night-Desk/.,;)]",
        "Night-Desk//",
        "night-desk",
        "NIGHT-DESK",
        "nIGHT-dESK.",
        "Night-Desk.q",
        "night-desk.q.",
        "NIGHT-DESK.Q",
        "NIGHT-DESK.Q/",
        "Night-Desk?a=b",
        "Night-Desk?",
        "Night%2DDesk",
    ];
    for path in forgiven {
        assert_eq!(app.follow(path).await.expect(302).location(), target, "{path}");
    }
    let not = [
        "Night-Des",
        "Night-Deskk",
        "NightDesk",
        "Night-Desk!",
        "Night-Desk/more",
        "x/Night-Desk",
        "/Night-Desk",
        "Night-Desk.qq",
        "Night-Desk:",
        "Night-Desk%20",
        "Night-Desk'",
        "Night-Desk%00",
        "%zz",
        "%",
        "..",
        ".",
    ];
    for path in not {
        assert_eq!(app.follow(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_visit_by_qr_code_is_told_apart() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "kx7" })).await;
    let table = [("kx7", 4), ("kx7.q", 3), ("KX7.Q", 2), ("kx7.Q", 1), ("KX7", 1)];
    for (path, times) in table {
        app.follow_times(path, times).await;
    }
    assert_eq!(app.totals("kx7").await, (11, 0, 0));
    for scope in ["link:kx7", "site"] {
        let top = app.report(&format!("top?by=trigger&scope={scope}")).await;
        let rows: Vec<(&Value, &Value)> =
            top["rows"].as_array().unwrap().iter().map(|r| (&r["value"], &r["clicks"])).collect();
        assert_eq!(rows, [(&json!("qr"), &json!(6)), (&json!("link"), &json!(5))], "{scope}");
        assert_eq!(top["other"]["clicks"], 0);
    }
}
