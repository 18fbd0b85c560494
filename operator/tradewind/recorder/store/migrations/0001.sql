-- The words in braces differ: {id} a number that the database gives, {int} 64 bits, {bytes} binary. Times are epoch milliseconds.

create table run (
  id {id},
  uid text not null unique,
  epoch {int} not null,
  version {int} not null,
  cluster text not null,
  namespace text not null,
  namespace_uid text not null,
  dag text not null,
  name text not null,
  phase text not null,
  created {int} not null,
  logical {int},
  started {int},
  finished {int},
  deleted {int},
  ended {int} not null,
  how text not null,
  maker text not null,
  revision text not null,
  revision_number {int} not null,
  author text not null,
  message text not null,
  total {int} not null,
  done {int} not null,
  failed {int} not null,
  skipped {int} not null,
  detail {bytes} not null
);
create index run_by_dag on run (namespace, dag, created desc, id desc);
create index run_by_namespace on run (namespace, created desc, id desc);
create index run_unsuccessful on run (namespace, created desc, id desc) where phase <> 'Succeeded';
create index run_by_creation on run (created desc, id desc);
create index run_by_name on run (namespace, name);
create index run_by_end on run (ended);

create table task (
  run {int} not null references run (id) on delete cascade,
  task text not null,
  state text not null,
  items {int} not null,
  failed_items {int} not null,
  attempts {int} not null,
  losses {int} not null,
  start {int},
  seconds {int} not null,
  longest {int} not null,
  reason text not null,
  exit_code {int},
  n {int} not null,
  primary key (run, task)
);

create table edit (
  run {int} not null references run (id) on delete cascade,
  n {int} not null,
  action text not null,
  tasks text not null,
  author text not null,
  reason text not null,
  primary key (run, n)
);

create table revision (
  id {id},
  cluster text not null,
  namespace text not null,
  namespace_uid text not null,
  name text not null,
  dag text not null,
  number {int} not null,
  cause text not null,
  spec {bytes} not null,
  unique (cluster, namespace_uid, namespace, name)
);

create table unreadable (
  id {id},
  key text not null unique,
  namespace text not null,
  name text not null,
  version {int} not null,
  error text not null,
  raw {bytes} not null,
  at {int} not null
);

create table position (
  namespace text primary key,
  cluster text not null,
  epoch {int} not null,
  version {int} not null,
  at {int} not null
);
