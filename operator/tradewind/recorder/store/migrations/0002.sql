-- Logs of attempts: where the pieces of each are in the segment files beside the store.

create table log (
  id {id},
  pod_uid text not null unique,
  run_uid text not null,
  namespace text not null,
  namespace_uid text not null,
  run text not null,
  task text not null,
  attempt {int} not null,
  pod text not null,
  started {int},
  ended {int},
  bytes {int} not null,
  lines {int} not null,
  complete {int} not null,
  reason text not null,
  stored {int} not null
);
create index log_by_run on log (run_uid, task, attempt);
create index log_by_time on log (stored);

create table log_chunk (
  log {int} not null references log (id) on delete cascade,
  n {int} not null,
  segment {int} not null,
  place {int} not null,
  size {int} not null,
  bytes {int} not null,
  first_line {int} not null,
  primary key (log, n)
);
create index log_chunk_by_segment on log_chunk (segment);
