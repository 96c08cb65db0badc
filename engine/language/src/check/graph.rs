//! What comes before what: cycles, and whether one step has certainly ended when another starts.
//!
//! Each step has nodes for its start, its end, and the begin of its `rescue` and of its `always`. A block starts before
//! what lies in it and ends after it, its sections come one after the other; a step starts after the end of what it needs.
//! Nothing here recurses over needs, so that long chains are no matter.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use runbook_core::plan::Section;

use super::needs::Need;
use super::outline::Outline;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::source::Span;

/// Cycles that share steps are looked for this many times; what is left then is cut without being named.
const ROUNDS_MAX: usize = 20;

/// The steps by what comes before what, without cycles.
pub(crate) struct Order {
    graph: DiGraph<(), ()>,
    sorted: Vec<NodeIndex>,
    /// For the start of a step that needs some of several: how many suffice, and the ends of these.
    some_of: BTreeMap<NodeIndex, (usize, Vec<NodeIndex>)>,
}

/// A step that must have ended when another starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// The step whose expression reads.
    pub(crate) reader: usize,
    /// Whether it reads at its end, and not at its start.
    pub(crate) at_end: bool,
    /// The step that is read.
    pub(crate) target: usize,
    /// Where.
    pub(crate) span: Span,
}

/// For each step.
const NODES: usize = 4;

fn start(at: usize) -> NodeIndex {
    NodeIndex::new(NODES * at)
}

fn end(at: usize) -> NodeIndex {
    NodeIndex::new(NODES * at + 1)
}

/// Where a section of a block begins.
fn begin(at: usize, section: Section) -> NodeIndex {
    match section {
        Section::Main => start(at),
        Section::Rescue => NodeIndex::new(NODES * at + 2),
        Section::Always => NodeIndex::new(NODES * at + 3),
    }
}

fn step(node: NodeIndex) -> usize {
    node.index() / NODES
}

fn build(outline: &Outline<'_>, needs: &[Vec<Need>]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(NODES * outline.items.len(), 2 * NODES * outline.items.len());
    for _ in 0..NODES * outline.items.len() {
        graph.add_node(());
    }
    for (at, item) in outline.items.iter().enumerate() {
        graph.add_edge(start(at), begin(at, Section::Rescue), ());
        graph.add_edge(begin(at, Section::Rescue), begin(at, Section::Always), ());
        graph.add_edge(begin(at, Section::Always), end(at), ());
        if let Some(parent) = item.parent {
            let after = match item.section {
                Section::Main => begin(parent, Section::Rescue),
                Section::Rescue => begin(parent, Section::Always),
                Section::Always => end(parent),
            };
            graph.add_edge(begin(parent, item.section), start(at), ());
            graph.add_edge(end(at), after, ());
        }
        for need in &needs[at] {
            graph.add_edge(end(need.on), start(at), ());
        }
    }
    graph
}

impl Order {
    /// Reports each cycle and cuts it, so that the rest can still be checked.
    pub(crate) fn of(outline: &Outline<'_>, mut needs: Vec<Vec<Need>>, found: &mut Collector) -> Self {
        for round in 0.. {
            let graph = build(outline, &needs);
            let loops: Vec<Vec<NodeIndex>> = kosaraju_scc(&graph).into_iter().filter(|part| part.len() > 1).collect();
            if loops.is_empty() {
                let sorted = toposort(&graph, None).unwrap_or_default();
                return Self { graph, sorted, some_of: some_of(outline, &needs) };
            }
            for part in loops {
                if round < ROUNDS_MAX {
                    let cycle = find_cycle(&graph, &part);
                    report(outline, &mut needs, &cycle, found);
                } else {
                    let inside: Vec<usize> = part.iter().map(|node| step(*node)).collect();
                    inside.iter().for_each(|at| needs[*at].clear());
                }
            }
        }
        Self { graph: DiGraph::new(), sorted: Vec::new(), some_of: BTreeMap::new() }
    }

    /// Those reads whose target may not have ended when the reader starts.
    ///
    /// Works through 64 targets at a time, each a bit that flows along the order: linear in the steps for each.
    pub(crate) fn too_early(&self, reads: &[Read]) -> Vec<Read> {
        let mut by_target: BTreeMap<usize, Vec<Read>> = BTreeMap::new();
        for read in reads {
            by_target.entry(read.target).or_default().push(*read);
        }
        let targets: Vec<(usize, Vec<Read>)> = by_target.into_iter().collect();
        let mut early = Vec::new();
        for chunk in targets.chunks(64) {
            let ends: Vec<NodeIndex> = chunk.iter().map(|(target, _)| end(*target)).collect();
            let ended = self.flow(&ends);
            for (bit, (_, reads)) in chunk.iter().enumerate() {
                let when = |read: &Read| if read.at_end { end(read.reader) } else { start(read.reader) };
                early.extend(reads.iter().filter(|read| ended[when(read).index()] & (1 << bit) == 0));
            }
        }
        early
    }

    /// Of blocks and steps outside of them, those pairs in which the step must start before the block can end, and may not
    /// have ended when the block starts.
    pub(crate) fn locked_out(&self, blocks: &[usize], steps: &[usize]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for chunk in steps.chunks(64) {
            let nodes = |node: fn(usize) -> NodeIndex| chunk.iter().map(|at| node(*at)).collect::<Vec<_>>();
            let (started, ended) = (self.flow(&nodes(start)), self.flow(&nodes(end)));
            for block in blocks {
                let bits = started[end(*block).index()] & !ended[start(*block).index()];
                let is_locked_out = |(bit, at): &(usize, &usize)| **at != *block && bits & (1 << *bit) != 0;
                found.extend(chunk.iter().enumerate().filter(is_locked_out).map(|(_, at)| (*block, *at)));
            }
        }
        found
    }

    /// What has certainly happened when each node is reached: of these, at most 64, each a bit.
    fn flow(&self, from: &[NodeIndex]) -> Vec<u64> {
        let mut happened = vec![0u64; self.graph.node_count()];
        for (bit, node) in from.iter().enumerate() {
            happened[node.index()] |= 1 << bit;
        }
        for node in &self.sorted {
            if let Some((any, of)) = self.some_of.get(node) {
                happened[node.index()] |= certain(*any, of, &happened);
            }
            let bits = happened[node.index()];
            if bits != 0 {
                let is_sure = |next: &NodeIndex| !self.some_of.get(next).is_some_and(|(_, of)| of.contains(node));
                self.graph.neighbors(*node).filter(is_sure).for_each(|next| happened[next.index()] |= bits);
            }
        }
        happened
    }
}

fn some_of(outline: &Outline<'_>, needs: &[Vec<Need>]) -> BTreeMap<NodeIndex, (usize, Vec<NodeIndex>)> {
    let one = |(at, needs): (usize, &Vec<Need>)| {
        let any = outline.items[at].needs_any()? as usize;
        Some((start(at), (any, needs.iter().map(|need| end(need.on)).collect())))
    };
    needs.iter().enumerate().filter_map(one).collect()
}

/// What has ended when so many of several have: what has ended before more of them than may be left out.
fn certain(any: usize, of: &[NodeIndex], ended: &[u64]) -> u64 {
    let enough = of.len().saturating_sub(any) + 1;
    let has = |bit: &u64| of.iter().filter(|node| ended[node.index()] & bit != 0).count() >= enough;
    (0..64).map(|bit| 1u64 << bit).filter(has).fold(0, |all, bit| all | bit)
}

/// A shortest cycle through the first step of a strongly connected part, against the arrows: each waits for the next.
fn find_cycle(graph: &DiGraph<(), ()>, part: &[NodeIndex]) -> Vec<NodeIndex> {
    let inside: std::collections::BTreeSet<NodeIndex> = part.iter().copied().collect();
    let Some(first) = inside.first().copied() else { return vec![] };
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = VecDeque::from([first]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node).filter(|next| inside.contains(next)) {
            if next == first {
                let mut cycle = vec![first];
                let mut at = node;
                while at != first {
                    cycle.push(at);
                    at = came_from[&at];
                }
                return cycle;
            }
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                node
            });
        }
    }
    vec![first]
}

/// Names a cycle and removes one need from it: one that is written where there is one.
fn report(outline: &Outline<'_>, needs: &mut [Vec<Need>], cycle: &[NodeIndex], found: &mut Collector) {
    let mut steps: Vec<usize> = cycle.iter().map(|node| step(*node)).collect();
    steps.dedup();
    if steps.len() > 1 && steps.first() == steps.last() {
        steps.pop();
    }
    let lowest = steps.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(place, _)| place);
    steps.rotate_left(lowest);
    let pairs = cycle.iter().zip(cycle.iter().cycle().skip(1));
    let links: Vec<(usize, Need)> = pairs
        .filter(|(from, to)| from.index() % NODES == 0 && to.index() % NODES == 1)
        .filter_map(|(from, to)| {
            let need = needs[step(*from)].iter().find(|need| need.on == step(*to))?;
            Some((step(*from), *need))
        })
        .collect();
    let chosen = links.iter().filter(|(_, need)| need.written.is_some()).max_by_key(|(at, _)| *at).or(links.first());
    let Some((reader, cut)) = chosen.copied() else { return };
    needs[reader].retain(|need| need.on != cut.on);

    let names: Vec<&str> = steps.iter().chain(steps.first()).map(|at| outline.name(*at)).collect();
    let span = cut.written.unwrap_or_else(|| outline.items[reader].id_span());
    let implied = links.iter().find(|(_, need)| need.written.is_none());
    let error = found.error(Code::Cycle, span, format!("these steps wait for each other: {}", names.join(" -> ")));
    for (at, need) in &links {
        if let Some(other) = need.written.filter(|other| *other != span) {
            error.related(other, format!("`{}` waits for `{}`", outline.name(*at), outline.name(need.on)));
        }
    }
    error.label(format!("`{}` waits for `{}`", outline.name(reader), outline.name(cut.on)));
    error.help(match implied {
        Some((at, need)) => format!(
            "`{0}` waits for `{1}` because it is written after it; `needs: []` on `{0}` lets it start at once",
            outline.name(*at),
            outline.name(need.on)
        ),
        None => "remove one of these needs".to_owned(),
    });
}
