//! What staff change while it runs: settings and channels.

mod channels;
mod nodes;
mod operators;
mod values;

use crate::harness::api::Api;
use crate::harness::{Value, json};

/// Gives a setting a value, whatever was there.
async fn set(api: &Api, name: &str, value: Value) -> Value {
    api.post("/settings", &json!({ "name": name, "value": value })).await.expect(200).json()
}

/// A setting as it is now.
async fn item(api: &Api, name: &str) -> Value {
    let all = api.all("/settings").await;
    all.into_iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{name} is listed"))
}

/// Codes of the reasons that a node is not well for.
async fn reasons(ops: &crate::harness::http::Http) -> Vec<String> {
    let ready = ops.get("/readyz").await.expect(200).json();
    let reasons = ready["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}
