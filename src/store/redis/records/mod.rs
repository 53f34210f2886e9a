//! Records: what is kept of links, articles and accounts, one hash field each.
//!
//! Guarantees that a record's name and bytes follow from what it means and back ([`decode`]), that what is usual
//! costs nothing (an ordinary link's record has about 45 bytes), and that records change only by comparison
//! with what was read ([`Records::commit`]). Knows neither what makes a link take a slot nor who asks.

mod account;
mod alias;
mod answer;
mod article;
mod commit;
mod decode;
pub mod document;
mod link;
mod name;
mod token;
mod trail;
mod tries;
mod webhook;
mod wire;

pub use account::{Owned, audit, key, user};
pub use alias::{Alias, AliasName};
pub use answer::Remembered;
pub use article::{Admitted, Story};
pub use commit::{Committed, Record, Records, Restored, Witness, Write, Written, fields, random_tag};
pub use decode::decode;
pub use link::{read_links, write_links};
pub use name::{BUCKETS, Name, bucket, bucket_key};
pub use token::{pack_token, unpack_token};
pub use trail::{entry, kept_entry};
pub use tries::Tries;
pub use webhook::{
    KeptWebhook, gone as gone_webhook, pack_delivery, read as read_webhook, unpack_delivery,
    write as write_webhook,
};
pub use wire::cut;
