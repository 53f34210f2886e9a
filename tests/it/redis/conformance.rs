//! The suite that every backend passes, over one server.

use slugline::store::Store;

use super::house::{House, own_settings};

async fn made() -> (Store, House) {
    let house = House::open(&own_settings().await, 64).await;
    (house.store.clone(), house)
}

slugline::store_conformance!(made);
