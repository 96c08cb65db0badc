//! Truth tables, one theme in each file.

mod approval;
mod ask;
mod blocks;
mod cancel;
mod child;
mod deadlines;
mod done;
mod emergency;
mod failure;
mod interruption;
mod journal;
mod left_behind;
mod locks;
mod loops;
mod manual;
mod order;
mod outputs;
mod parallel;
mod retry;
mod rollback;
mod sections;
mod services;
mod skip;
mod timeout;
mod until;
mod verdict;
