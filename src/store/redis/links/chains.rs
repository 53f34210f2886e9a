//! Many items at once: those that have something in common one after the other, all others side by side.
//!
//! Guarantees the order of what belongs together, an outcome for each item in the items' order, and a bound on how
//! many are under way. Nothing goes on once the caller has gone.

use std::collections::HashMap;

use tokio::task::JoinSet;

use crate::store::{Error, Result};

/// Chains under way at once.
const WIDTH: usize = 64;

/// Does `work` for each item. Items that share a key are done in order.
pub(super) async fn in_chains<T, R, F, D>(items: Vec<(Vec<String>, T)>, work: F) -> Result<Vec<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(T) -> D + Clone + Send + 'static,
    D: Future<Output = Result<R>> + Send + 'static,
{
    let mut done = Vec::with_capacity(items.len());
    let mut chains = chains(items).into_iter();
    let mut running: JoinSet<Result<Vec<(usize, R)>>> = JoinSet::new();
    loop {
        while running.len() < WIDTH
            && let Some(chain) = chains.next()
        {
            let work = work.clone();
            running.spawn(async move {
                let mut done = Vec::with_capacity(chain.len());
                for (at, item) in chain {
                    done.push((at, work(item).await?));
                }
                Ok(done)
            });
        }
        let Some(ended) = running.join_next().await else { break };
        done.extend(ended.map_err(|e| Error::Unavailable(format!("a piece of the work ended: {e}")))??);
    }
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Items with their places, those that share a key (or share one with one that shares one ...) together.
fn chains<T>(items: Vec<(Vec<String>, T)>) -> Vec<Vec<(usize, T)>> {
    let mut leader: Vec<usize> = (0..items.len()).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (at, (keys, _)) in items.iter().enumerate() {
        for key in keys {
            let other = *first.entry(key).or_insert(at);
            let (one, two) = (find(&mut leader, at), find(&mut leader, other));
            // The earlier leads, so that chains begin in the items' order.
            leader[one.max(two)] = one.min(two);
        }
    }
    let mut chains: Vec<Vec<(usize, T)>> = vec![];
    let mut chain_of: HashMap<usize, usize> = HashMap::new();
    for (at, (_, item)) in items.into_iter().enumerate() {
        let chain = *chain_of.entry(find(&mut leader, at)).or_insert_with(|| {
            chains.push(vec![]);
            chains.len() - 1
        });
        chains[chain].push((at, item));
    }
    chains
}

fn find(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(keys: &[&str], n: u32) -> (Vec<String>, u32) {
        (keys.iter().map(|k| (*k).to_owned()).collect(), n)
    }

    #[test]
    fn what_belongs_together_is_one_chain() {
        let items = vec![
            keyed(&["a"], 0),
            keyed(&["b"], 1),
            keyed(&[], 2),
            keyed(&["c", "b"], 3),
            keyed(&["a", "c"], 4),
            keyed(&["d"], 5),
        ];
        let chains = chains(items);
        let chains: Vec<Vec<u32>> = chains.iter().map(|c| c.iter().map(|(_, n)| *n).collect()).collect();
        assert_eq!(chains, [vec![0, 1, 3, 4], vec![2], vec![5]]);
    }

    #[tokio::test]
    async fn outcomes_are_in_the_items_order() {
        let items = (0..300).map(|n| keyed(&[&format!("k{}", n % 7)], n)).collect();
        let done = in_chains(items, |n| async move {
            if n % 3 == 0 {
                tokio::task::yield_now().await;
            }
            Ok(n)
        });
        assert_eq!(done.await.unwrap(), (0..300).collect::<Vec<_>>());
        let failed = in_chains(vec![keyed(&[], 1)], |_| async { Err::<u32, _>(Error::Refused("no".into())) });
        assert!(failed.await.is_err());
    }
}
