//! What every backend must do, as code: each sentence of the traits' documentation is a case here.
//!
//! A case gets a new, empty store, says with a panic what is wrong, and knows no backend. It is compiled always
//! so that any test can run it; nothing of the running service does. A backend runs all cases with one line:
//! `slugline::store_conformance!(make)`, where `make` is an `async fn() -> (Store, Guard)` and the guard keeps
//! what the store needs (a folder, a server) for as long as the case runs. Random data comes from fixed seeds,
//! short runs first, so the first failure is a small one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "it is a test: to panic is how it says no"
)]

pub mod accounts;
pub mod applying;
pub mod creating;
pub mod day_keys;
pub mod documents;
pub mod editing;
pub mod estimates;
pub mod feed;
pub mod life;
pub mod listing;
pub mod merging;
pub mod model;
pub mod moving;
pub mod stories;
pub mod streams;
pub mod tokens;
pub mod webhooks;

use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::links::{ArticleClaim, Creation, NewCode, NewLink};
use crate::domain::article::{ArticleFacts, ArticleId};
use crate::domain::code::Code;
use crate::domain::link::{Found, Link, Via};

/// Runs every case, each with a store of its own, as tests of the module it stands in.
#[macro_export]
macro_rules! store_conformance {
    ($make:ident) => {
        $crate::store_conformance! { @all $make;
            creating {
                makes_a_link_with_all_its_fields, finds_by_folded_code, finds_many, gives_the_one_that_is_there,
                every_part_of_a_slot_counts, a_retry_is_told_what_was_made, draws_a_free_code,
                a_chosen_code_is_given_once, codes_differ_by_more_than_case, force_new_makes_another,
                reserves_a_code, retired_codes_are_never_given_again, dead_slots_are_replaced,
                a_batch_has_an_outcome_for_each, one_slot_one_link_however_many_ask, counts_links,
            }
            stories {
                known_by_address_and_cms_id, cms_ids_count_within_their_site, facts_fill_what_is_not_known,
                links_show_what_their_story_learns, aliases_are_bounded, an_own_cms_id_always_has_room,
            }
            life {
                a_page_says_what_nobody_else_said, other_addresses_become_aliases, a_move_takes_along_what_follows,
                readers_are_led_to_the_spelling_that_is_known,
                an_edit_of_an_article_is_made_once, a_held_address_is_refused,
                a_withdrawn_article_withdraws_its_links, a_broken_target_is_noted, pages_are_due,
                a_redacted_story_says_nothing,
            }
            merging {
                merged_stories_are_the_older, merges_lead_to_the_end, a_story_is_split,
                a_merge_races_with_creations, what_was_merged_is_redacted_with_it,
            }
            editing {
                replaces_the_record, a_stale_edit_changes_nothing, a_retry_of_an_edit_is_changed,
                the_last_eight_tags_are_remembered, an_unknown_link, moves_to_a_free_slot,
                a_held_slot_is_refused, only_one_of_many_edits_wins, history_is_kept_and_paged,
                history_is_bounded,
            }
            listing {
                pages_are_complete_and_without_duplicates, each_filter_shows_what_it_names, finds_words,
                words_with_special_characters, titles_sort_with_their_articles,
            }
            feed {
                tells_every_change, zero_asks_for_the_version, a_feed_that_forgot_says_so,
                accounts_are_in_the_feed,
            }
            moving {
                links_come_back_as_they_were, importing_twice_changes_nothing, a_taken_code_is_refused,
                imported_codes_may_differ_only_in_case, numbers_come_back_as_they_were,
                importing_sets_and_never_adds,
            }
            accounts {
                keys_are_kept, keys_end_once, users_are_kept, the_audit_is_newest_first, old_lines_of_the_audit_go,
                links_write_their_own_audit, an_idempotency_key, a_request_that_died, answers_are_forgotten,
                accounts_come_back_as_they_were,
            }
            documents {
                documents_are_kept, a_stale_change_changes_nothing, removed_documents_keep_their_version,
                names_are_bounded, only_one_of_many_changes_wins, changes_of_documents_are_told,
                documents_come_back_as_they_were,
            }
            estimates {
                sketches_are_merged, many_readers_are_estimated, sketches_go, unknown_values_are_bounded,
                sections_are_bounded, authors_are_bounded,
            }
            applying {
                adds_once, a_wrong_from_changes_nothing, a_gap_adds_to_lost, streams_do_not_mix,
                lanes_do_not_mix, a_batch_of_nothing_moves_the_ordinal, many_appliers_count_once,
                the_largest_batch_is_added, rows_are_bounded_by_bucket, minutes_go, hours_go, sums_by_scope, totals_in_order, zones_are_kept,
            }
            streams {
                unknown_ones_are_zero, durable_ones_are_the_same, finishes_only_what_is_known,
                tombstones_go_into_base, a_tombstone_keeps_its_ordinals,
            }
            day_keys {
                the_first_key_stays, days_have_their_own_keys,
            }
            webhooks {
                webhooks_are_kept, webhooks_are_replaced_by_version, a_removed_webhook_is_gone,
                webhooks_come_back_as_they_were, webhooks_are_in_the_feed, a_message_is_added_once,
                a_delivery_is_settled_once, a_webhook_is_forgiven, deliveries_are_paged, waiting_ones_are_bounded,
                ended_ones_go, a_lease_is_held_by_one, a_lease_ends,
            }
            tokens {
                tokens_are_kept_by_kind, tokens_end, a_token_is_taken_once, use_is_noted,
                an_owners_tokens_are_listed_and_removed, tokens_are_bounded,
            }
            model {
                numbers_are_those_of_a_naive_model, pages_of_an_export_join,
            }
        }
    };
    (@all $make:ident; $($area:ident { $($case:ident),* $(,)? })*) => {
        $(
            mod $area {
                $(
                    #[test]
                    fn $case() {
                        $crate::store::conformance::run(async {
                            let (store, guard) = super::$make().await;
                            $crate::store::conformance::$area::$case(&store).await;
                            store.close().await.unwrap();
                            drop(guard);
                        });
                    }
                )*
            }
        )*
    };
}

/// Runs a case on a runtime of its own.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

/// Some time, and `seconds` after it.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-22T17:00:00Z".parse().expect("a time");
    begin + SignedDuration::from_secs(seconds)
}

/// A code.
#[must_use]
pub fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

/// An address on the newsroom's site.
#[must_use]
pub fn url(path: &str) -> String {
    format!("https://news.example.com/{path}")
}

/// A claim of the story at `path`.
#[must_use]
pub fn claim(path: &str) -> ArticleClaim {
    ArticleClaim {
        new_id: ArticleId(format!("a-{path}").into()),
        url: url(path),
        address: None,
        site: "news.example.com".into(),
        cms_id: None,
        aliases: vec![],
        page: None,
        read: None,
        facts: ArticleFacts::default(),
    }
}

/// A request for a link to the story at `path` that may get any of `codes`.
#[must_use]
pub fn ask(tag: u64, path: &str, codes: &[&str]) -> NewLink {
    NewLink {
        tag,
        code: NewCode::Drawn(codes.iter().map(|c| code(c)).collect()),
        article: Some(claim(path)),
        link: blank(Some(url(path)), at(0)),
        force_new: false,
    }
}

/// A request for exactly this code.
#[must_use]
pub fn choose(tag: u64, path: &str, chosen: &str) -> NewLink {
    NewLink { code: NewCode::Chosen(code(chosen)), ..ask(tag, path, &[]) }
}

/// A link with nothing special. Its code is filled in by the store.
#[must_use]
pub fn blank(target: Option<String>, made: Timestamp) -> Link {
    Link {
        code: code("unset"),
        target,
        target_version: 1,
        article: None,
        follows_article: false,
        added: None,
        title: None,
        channel: None,
        campaign: None,
        tags: vec![],
        note: None,
        not_before: None,
        expires_at: None,
        expired_url: None,
        message: None,
        redirect_status: 302,
        forward_query: false,
        confidential: false,
        disabled: false,
        broken: None,
        retired_at: None,
        created_at: made,
        created_by: "key:a".into(),
        via: Via::Api,
        updated_at: made,
        version: 1,
    }
}

/// Makes one link.
pub async fn create(store: &Store, new: NewLink) -> Creation {
    let mut made = store.links.create(vec![new], at(0)).await.expect("create");
    assert_eq!(made.len(), 1, "one outcome for one request");
    made.pop().expect("an outcome")
}

/// Makes one link, which must be new.
pub async fn created(store: &Store, new: NewLink) -> Found {
    match create(store, new).await {
        Creation::Created(found) => found,
        other => panic!("not created: {other:?}"),
    }
}

/// Asks for one link, which must be there.
pub async fn existing(store: &Store, new: NewLink) -> Found {
    match create(store, new).await {
        Creation::Existing(found) => found,
        other => panic!("not the one that is there: {other:?}"),
    }
}

/// The only link of a folded code.
pub async fn find(store: &Store, key: &str) -> Found {
    let mut found = store.links.find(key).await.expect("find");
    assert_eq!(found.len(), 1, "links of {key}");
    found.pop().expect("a link")
}

/// Numbers that look random and are the same in each run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_number() % bound.max(1)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(u64::try_from(from.len()).expect("a length"))).expect("an index");
        &from[at]
    }
}
