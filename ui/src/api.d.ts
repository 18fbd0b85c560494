// Made by `python -m tradewind.server.schema.types` from operator/tradewind/server/answers. Don't edit it.
// Times are epoch milliseconds in UTC, durations seconds.

export type Millis = number;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** An error, as in RFC 9457. */
export interface ProblemAnswer {
  type?: string;
  /** The kind of error, in words. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** What is wrong, and what to do. */
  detail: string;
  /** Path of the field that is wrong. */
  field?: string | null;
}

/** The token from the address that the command printed. */
export interface TokenBody {
  token: string;
}

/** Something that limits what is shown. */
export interface ProblemWords {
  words: string;
}

/** The user, the cluster, and the user's rights. */
export interface MeAnswer {
  user: string;
  groups: string[];
  /** Address of the API server. */
  cluster: string;
  /** kubeconfig or local. */
  mode: string;
  /** Namespaces with objects that the user may see, and the one that is used without a choice. */
  namespaces: string[];
  /** The namespace that is used without a choice; empty for all. */
  namespace: string;
  version: string;
  /** By namespace and resource (`pods/log` too): verbs. */
  can: Record<string, Record<string, string[]>>;
  problems: ProblemWords[];
}

/** What to search for. */
export interface SearchQuery {
  q?: string;
  namespace?: string;
}

/** Something found. */
export interface SearchHit {
  /** dag, run, trigger, backfill, pool, asset or task. */
  kind: string;
  namespace: string;
  name: string;
  /** What else is known of it, on one line. */
  text: string;
}

/** At most 20 things, the best first. */
export interface SearchAnswer {
  hits: SearchHit[];
}

/** A finding of the doctor. */
export interface HealthFinding {
  check: string;
  /** ok, warning, problem or unknown. */
  level: string;
  text: string;
  todo: string;
}

/** The findings, the worst first. */
export interface HealthAnswer {
  findings: HealthFinding[];
}

/** Where to look. */
export interface HealthQuery {
  namespace?: string;
}

/** Tasks and items by what came of them. */
export interface Progress {
  done: number;
  total: number;
  failed: number;
  /** None where only the run's own page knows. */
  running: number | null;
}

/** A run in a list. */
export interface RunRow {
  namespace: string;
  name: string;
  uid: string;
  dag: string;
  /** Queued, Running, Succeeded, Failed or Cancelled. */
  phase: string;
  created: Millis;
  started: Millis | null;
  finished: Millis | null;
  /** From start to end; None while it runs: count from `started`. */
  seconds: number | null;
  /** What made it: manual, schedule, backfill, event, dag, asset, object, sensor or parent. */
  how: string;
  /** Name of the trigger or backfill that made it. */
  maker: string;
  /** User who started it, as recorded. */
  by: string;
  /** Why it is in its phase, in one sentence. */
  why: string;
  progress: Progress;
  logicalDate: Millis | null;
  suspended: boolean;
  /** Whether its end was requested and it has not ended. */
  stopping: boolean;
}

/** Which runs, the newest first. */
export interface RunsQuery {
  namespace?: string;
  dag?: string;
  /** Queued, Running, Succeeded, Failed, Cancelled or Active (Queued or Running). */
  phase?: string[];
  how?: string;
  /** Part of the name of the run or its DAG. */
  text?: string;
  /** Created at or after this time. */
  since?: Millis | null;
  /** Created before this time. */
  until?: Millis | null;
  limit?: number;
  /** `next` of the answer before. */
  after?: string;
}

/** A page of runs. */
export interface RunsAnswer {
  runs: RunRow[];
  next: string | null;
  more: boolean;
}

/** A condition of an object. */
export interface ConditionRow {
  type: string;
  status: string;
  reason: string;
  message: string;
  since: Millis | null;
}

/** An Event of Kubernetes. */
export interface EventRow {
  /** Normal or Warning. */
  type: string;
  reason: string;
  message: string;
  count: number;
  at: Millis | null;
  /** Kind and name, as Pod/NAME. */
  object: string;
}

/** A change by hand. */
export interface EditRow {
  action: string;
  tasks: string[];
  by: string;
  reason: string;
  applied: boolean;
}

/** A failed attempt. */
export interface FailureRow {
  task: string;
  attempt: number;
  reason: string;
  exitCode: number | null;
  message: string;
}

/** The attempt of another run that made this one. */
export interface CallerRow {
  run: string;
  task: string;
  attempt: number;
}

/** A run in full. */
export interface RunDetail {
  namespace: string;
  name: string;
  uid: string;
  dag: string;
  /** Queued, Running, Succeeded, Failed or Cancelled. */
  phase: string;
  created: Millis;
  started: Millis | null;
  finished: Millis | null;
  /** From start to end; None while it runs: count from `started`. */
  seconds: number | null;
  /** What made it: manual, schedule, backfill, event, dag, asset, object, sensor or parent. */
  how: string;
  /** Name of the trigger or backfill that made it. */
  maker: string;
  /** User who started it, as recorded. */
  by: string;
  /** Why it is in its phase, in one sentence. */
  why: string;
  progress: Progress;
  logicalDate: Millis | null;
  suspended: boolean;
  /** Whether its end was requested and it has not ended. */
  stopping: boolean;
  message: string;
  revision: string;
  revisionNumber: number | null;
  params: Record<string, Json>;
  results: Record<string, Json>;
  conditions: ConditionRow[];
  labels: Record<string, string>;
  note: string;
  /** Reason given when it was started. */
  reason: string;
  /** What its trigger says about it. */
  cause: string;
  calledBy: CallerRow | null;
  edits: EditRow[];
  failures: FailureRow[];
  /** Resource version that was read. */
  version: string;
  yaml: string;
  events: EventRow[];
  /** What manages the object (Argo CD, Flux or Helm); empty if nothing does. */
  managedBy: string;
}

/** The actions that make sense now and that the user may do. */
export interface RunCan {
  cancel: boolean;
  terminate: boolean;
  suspend: boolean;
  resume: boolean;
  retry: boolean;
  delete: boolean;
}

/** A run in full. */
export interface RunAnswer {
  run: RunDetail;
  can: RunCan;
  /** Why something is not shown, such as pods. */
  partial: string | null;
}

/** A step of the critical path, in seconds. */
export interface PathRow {
  task: string;
  waited: number;
  retried: number;
  ran: number;
}

/** The critical path so far. */
export interface PathAnswer {
  rows: PathRow[];
  seconds: number;
}

/** An object to go to. */
export interface ChainLink {
  /** task, run, pool, dag, approval or trigger. */
  kind: string;
  namespace: string;
  name: string;
}

/** A step from a waiting task to the cause. */
export interface ChainStep {
  text: string;
  link: ChainLink | null;
}

/** A task that waits, and the chain to the cause. */
export interface WaitingTask {
  key: string;
  cause: string;
  since: Millis | null;
  until: Millis | null;
  chain: ChainStep[];
}

/** What waits, the longest first; of many alike some. */
export interface WaitsAnswer {
  tasks: WaitingTask[];
  total: number;
}

/** Columns over `n` rows: each task, followed by its items. Names, states, reasons and causes are given once, and rows have their index. */
export interface TasksAnswer {
  n: number;
  /** Changes when anything does. */
  version: string;
  /** Why pods are not shown. */
  partial: string | null;
  key: string[];
  /** Tasks in an order in which they can run. */
  names: string[];
  /** By row: index in `names`. */
  task: number[];
  /** By row: the item's index; -1 for a task. */
  item: number[];
  /** Labels of items, by row number, where they have one. */
  label: Record<string, string>;
  /** By name: pod, http, sensor, wait, approval, compute or dag. */
  kinds: string[];
  /** By name: whether it is a fan-out. */
  fan: boolean[];
  states: string[];
  state: number[];
  /** Start of the first attempt. */
  start: (Millis | null)[];
  /** End of the last attempt, once the row has ended. */
  end: (Millis | null)[];
  attempts: number[];
  /** How many attempts the infrastructure lost. */
  losses: number[];
  /** By row: start and end of each attempt, in seconds from `epoch`; the end is -1 while it runs. Empty for rows with one attempt: `start` and `end` say it. */
  bars: number[][];
  epoch: Millis;
  whys: string[];
  /** By row: index in `whys`, -1 for nothing to say. */
  why: number[];
  causes: string[];
  /** By row: pairs of an index in `causes` and seconds, in order, from the run's beginning to the first attempt and between attempts; the last one grows while the row waits (`since`). */
  waits: number[][];
  /** By row: since when it has waited for the cause that is last in `waits`, if it still does. */
  since: (Millis | null)[];
  /** Pairs of indices in `names`: from, to. */
  edges: number[];
  /** Rows on the critical path, in order. */
  critical: number[];
  /** Headings under which names can be grouped: what is before the last `.` of a name, and kinds such as teardowns. */
  groups: string[];
  /** By name: index in `groups`, -1 for none. */
  group: number[];
}

/** What the sentence rests on. */
export interface Evidence {
  /** state, status, attempt, condition, event, pool, expression or dependency. */
  kind: string;
  text: string;
}

/** Why a task is where it is. */
export interface WhyAnswer {
  sentence: string;
  cause: string;
  evidence: Evidence[];
  /** What to do, if anything. */
  todo: string;
}

/** An attempt. */
export interface AttemptRow {
  number: number;
  /** Succeeded, Failed, Lost, Stopped, Skipped, Running or Pending. */
  state: string;
  reason: string;
  message: string;
  exitCode: number | null;
  started: Millis | null;
  finished: Millis | null;
  node: string;
  /** Name of its pod; empty for work without a pod. */
  pod: string;
  podExists: boolean;
  /** failure, loss or None. */
  budget: string | null;
  /** Whether it counts: attempts before a clear don't. */
  counts: boolean;
  /** Causes and seconds before it started. */
  waits: [string, number][];
}

/** How much of a budget is used. The task fails for good when `used` reaches `limit`. */
export interface Budget {
  used: number;
  limit: number;
}

/** The two budgets of a task. */
export interface Budgets {
  failures: Budget;
  losses: Budget;
}

/** A value of the task, with the expression that gives it. */
export interface InputRow {
  /** Path of the field, such as env.REGION or args[0]. */
  name: string;
  expression: string;
  value: Json;
  /** Why it can't be computed; empty if it can. */
  problem: string;
}

/** An artifact that a task takes or makes. */
export interface ArtifactRow {
  name: string;
  /** in or out. */
  direction: string;
  place: string;
}

/** The pod of the last attempt. */
export interface PodPanel {
  name: string;
  phase: string;
  node: string;
  conditions: ConditionRow[];
  events: EventRow[];
}

/** A task, or an item, of a run. */
export interface TaskAnswer {
  key: string;
  task: string;
  kind: string;
  state: string;
  description: string;
  item: Json;
  why: WhyAnswer;
  attempts: AttemptRow[];
  budgets: Budgets;
  inputs: InputRow[];
  outputs: Record<string, Json>;
  artifacts: ArtifactRow[];
  /** YAML of the pod; of the task if it has none. */
  manifest: string | null;
  pod: PodPanel | null;
  links: ChainLink[];
  dependsOn: string[];
  neededBy: string[];
}

/** Which namespace; empty for all that the user may see. */
export interface Where {
  namespace?: string;
}

/** Something that a person has to do. */
export interface Need {
  /** approval, failed or invalid. */
  kind: string;
  namespace: string;
  name: string;
  run: string;
  dag: string;
  text: string;
  since: Millis | null;
}

/** How many tasks wait for a cause. */
export interface WaitShare {
  /** A cause, or timer: tasks that wait for a time, which count as running too. */
  cause: string;
  tasks: number;
  /** Seconds. */
  longest: number | null;
  namespace: string;
  /** The run of the longest. */
  run: string;
  task: string;
  since: Millis | null;
}

/** A run of a DAG, for a bar. */
export interface Bar {
  name: string;
  phase: string;
  created: Millis;
  seconds: number | null;
}

/** A DAG in a list. */
export interface DAGRow {
  namespace: string;
  name: string;
  suspended: boolean;
  invalid: string;
  owner: string;
  description: string;
  /** What starts it, in words. */
  schedule: string;
  next: Millis | null;
  /** At most 25 runs, the oldest first. */
  latest: Bar[];
  /** Share of those that have ended, from 0 to 1. */
  success: number | null;
  p50: number | null;
  p95: number | null;
  active: number;
}

/** Runs by phase; ended ones of the last 24 hours. */
export interface Counts {
  running: number;
  queued: number;
  failed24H: number;
  succeeded24H: number;
}

/** What needs a person, what runs, what waits, and all DAGs. */
export interface OverviewAnswer {
  needs: Need[];
  needsTotal: number;
  /** At most 50. */
  running: RunRow[];
  waiting: WaitShare[];
  dags: DAGRow[];
  counts: Counts;
}

/** All DAGs. */
export interface DAGsAnswer {
  dags: DAGRow[];
}

/** A question of an approval. */
export interface QuestionRow {
  name: string;
  type: string;
  title: string;
  description: string;
  default: Json;
  enum: Json[];
  required: boolean;
}

/** An approval. */
export interface ApprovalRow {
  namespace: string;
  name: string;
  run: string;
  task: string;
  dag: string;
  message: string;
  since: Millis;
  deadline: Millis | null;
  /** Pending, Approved, Rejected, Expired or Invalid. */
  outcome: string;
  by: string;
  comment: string;
  inputs: QuestionRow[];
  /** Whether the user may decide it. */
  can: boolean;
}

/** Which approvals. */
export interface ApprovalsQuery {
  namespace?: string;
  /** Decided ones too. */
  all?: boolean;
  /** Those of this run only. */
  run?: string;
}

/** Approvals, those that wait longest first. */
export interface ApprovalsAnswer {
  approvals: ApprovalRow[];
}

/** A trigger. */
export interface TriggerRow {
  namespace: string;
  name: string;
  dag: string;
  source: string;
  phase: string;
  message: string;
  description: string;
  suspended: boolean;
  lastRun: string;
  lastAt: Millis | null;
  next: Millis | null;
}

/** All triggers. */
export interface TriggersAnswer {
  triggers: TriggerRow[];
}

/** A backfill. */
export interface BackfillRow {
  namespace: string;
  name: string;
  dag: string;
  phase: string;
  message: string;
  start: string;
  end: string;
  total: number;
  done: number;
  active: number;
  failed: number;
  created: Millis;
  suspended: boolean;
}

/** All backfills, the newest first. */
export interface BackfillsAnswer {
  backfills: BackfillRow[];
}

/** What holds slots of a pool. */
export interface Holder {
  namespace: string;
  run: string;
  task: string;
  slots: number;
  since: Millis | null;
}

/** What waits for slots of a pool. */
export interface Queued {
  namespace: string;
  run: string;
  task: string;
  why: string;
  since: Millis | null;
}

/** A pool. */
export interface PoolRow {
  /** Pool or ClusterPool. */
  kind: string;
  namespace: string;
  name: string;
  description: string;
  slots: number;
  used: number;
  waiting: number;
  holders: Holder[];
  queue: Queued[];
}

/** All pools. */
export interface PoolsAnswer {
  pools: PoolRow[];
  partial: string | null;
}

/** The latest update of an asset's partition. */
export interface AssetRow {
  namespace: string;
  name: string;
  partition: string;
  at: Millis | null;
  dag: string;
  run: string;
  task: string;
  metadata: Record<string, Json>;
}

/** A DAG that makes an asset, or that an asset starts. */
export interface AssetEdge {
  namespace: string;
  asset: string;
  dag: string;
  /** produces or starts. */
  direction: string;
  /** The trigger by which it starts. */
  trigger: string;
}

/** Assets with what makes and what follows them. */
export interface AssetsAnswer {
  assets: AssetRow[];
  edges: AssetEdge[];
}

/** The next run that a trigger makes. */
export interface TickRow {
  trigger: string;
  next: Millis | null;
}

/** A param, for a form. */
export interface ParamRow {
  name: string;
  type: string;
  title: string;
  description: string;
  default: Json;
  enum: Json[];
  min: Json;
  max: Json;
  pattern: string;
  secret: boolean;
  required: boolean;
  nullable: boolean;
  section: string;
  examples: Json[];
  /** Type of the elements of a list. */
  items: string;
}

/** A DAG in full. */
export interface DAGDetail {
  namespace: string;
  name: string;
  description: string;
  owner: string;
  suspended: boolean;
  /** What is wrong with it. */
  invalid: string[];
  params: ParamRow[];
  schedule: TickRow[];
  tasks: number;
  yaml: string;
  revision: number | null;
  managedBy: string;
  version: string;
  /** DAGs that its tasks call. */
  calls: string[];
}

/** A revision. */
export interface RevisionRow {
  number: number;
  hash: string;
  at: Millis | null;
  cause: string;
  current: boolean;
}

/** A DAG in full. */
export interface DAGAnswer {
  dag: DAGDetail;
  revisions: RevisionRow[];
  triggers: TriggerRow[];
  partial: string | null;
}

/** The spec of a revision. */
export interface RevisionAnswer {
  number: number;
  name: string;
  yaml: string;
}

/** Which runs. */
export interface GridQuery {
  runs?: number;
  /** `next` of the answer before. */
  before?: string;
}

/** A column of the grid. */
export interface GridRun {
  name: string;
  uid: string;
  phase: string;
  created: Millis;
  seconds: number | null;
  revision: number | null;
  how: string;
  logicalDate: Millis | null;
}

/** Runs, the oldest first, by tasks. */
export interface GridAnswer {
  runs: GridRun[];
  /** Of all revisions that the runs have, in an order in which they can run. */
  tasks: string[];
  /** By run, then by task: index in `states`, -1 where the run has no such task. */
  cells: number[][];
  states: string[];
  /** By run: for fan-outs with failed items, pairs of an index in `tasks` and their number. */
  failed: Record<string, number[]>;
  next: string | null;
}

/** The tasks of a DAG and their dependencies. */
export interface GraphAnswer {
  names: string[];
  kinds: string[];
  fan: boolean[];
  /** By name: the DAG that it calls; empty for none. */
  calls: string[];
  /** Pairs of indices in `names`: from, to. */
  edges: number[];
  groups: string[];
  group: number[];
}

/** Which revision. */
export interface GraphQuery {
  revision?: number | null;
}

/** The params of a DAG. */
export interface FormAnswer {
  params: ParamRow[];
  suspended: boolean;
  invalid: string;
  /** Service account that pods get; empty for the namespace's default. */
  account: string;
  /** Field managers that wrote the spec. */
  author: string;
}

/** How many of the latest runs. */
export interface TrendQuery {
  runs?: number;
}

/** The latest ended runs, the oldest first, as columns. */
export interface TrendAnswer {
  names: string[];
  created: Millis[];
  seconds: (number | null)[];
  /** From creation to start. */
  waited: (number | null)[];
  phases: string[];
}

/** What to do with a run. */
export interface ActionBody {
  action: "cancel" | "terminate" | "suspend" | "resume" | "retry" | "delete";
  reason?: string;
  /** `version` of the preview: without a change of the run since. */
  version?: string;
}

/** What it does, or did. */
export interface ActionAnswer {
  done: boolean;
  /** Tasks and items, with what happens to each. */
  affected: string[];
  /** What is lost, in words. */
  lost: string[];
  words: string;
  /** The same as a command. */
  command: string;
  /** The same as a patch. */
  yaml: string;
  version: string;
}

/** A run to start. */
export interface StartBody {
  params?: Record<string, Json>;
  name?: string;
  priority?: number | null;
  reason?: string;
  logicalDate?: Millis | null;
}

/** What is wrong with a field. */
export interface FieldProblem {
  field: string;
  text: string;
}

/** The run, or what it would be. */
export interface StartAnswer {
  /** Its name; empty for a preview without one. */
  run: string;
  command: string;
  yaml: string;
  /** What is wrong with the params; a preview only, since a start with problems is refused. */
  problems: FieldProblem[];
  notes: string[];
}

/** A decision about an approval. */
export interface DecisionBody {
  approve: boolean;
  reason?: string;
  inputs?: Record<string, Json>;
}

/** What was decided. */
export interface DecisionAnswer {
  done: boolean;
  outcome: string;
  command: string;
  yaml: string;
}

/** By route: what it takes and answers; paths are below /api/v1/. */
export interface Routes {
  /** Trade the token of the link for a session. */
  "POST session": { query: undefined; body: TokenBody; answer: void };
  /** Who one is, and what one may do. */
  "GET me": { query: undefined; body: undefined; answer: MeAnswer };
  /** The findings of the doctor. */
  "GET health": { query: HealthQuery; body: undefined; answer: HealthAnswer };
  /** This description. */
  "GET openapi.json": { query: undefined; body: undefined; answer: void };
  /** What needs a person, runs and waits; all DAGs. */
  "GET overview": { query: Where; body: undefined; answer: OverviewAnswer };
  /** All DAGs. */
  "GET dags": { query: Where; body: undefined; answer: DAGsAnswer };
  /** Runs, the newest first. */
  "GET runs": { query: RunsQuery; body: undefined; answer: RunsAnswer };
  /** A run. */
  "GET runs/{namespace}/{name}": { query: undefined; body: undefined; answer: RunAnswer };
  /** Why its tasks wait. */
  "GET runs/{namespace}/{name}/waits": { query: undefined; body: undefined; answer: WaitsAnswer };
  /** Its critical path. */
  "GET runs/{namespace}/{name}/path": { query: undefined; body: undefined; answer: PathAnswer };
  /** All tasks of a run, as columns. */
  "GET runs/{namespace}/{name}/tasks": { query: undefined; body: undefined; answer: TasksAnswer };
  /** A task, or an item, of a run. */
  "GET runs/{namespace}/{name}/tasks/{key}": { query: undefined; body: undefined; answer: TaskAnswer };
  /** The log of an attempt. */
  "GET logs/{namespace}/{run}/{key}/{attempt}": { query: LogQuery; body: undefined; answer: void };
  /** The log of an attempt, as it grows. */
  "GET logs/{namespace}/{run}/{key}/{attempt}/follow": { query: LogQuery; body: undefined; answer: void };
  /** A run as one file of HTML. */
  "GET runs/{namespace}/{name}/export.html": { query: undefined; body: undefined; answer: void };
  /** A DAG. */
  "GET dags/{namespace}/{name}": { query: undefined; body: undefined; answer: DAGAnswer };
  /** The spec of a revision. */
  "GET dags/{namespace}/{name}/revisions/{number}": { query: undefined; body: undefined; answer: RevisionAnswer };
  /** Its tasks and their dependencies. */
  "GET dags/{namespace}/{name}/graph": { query: GraphQuery; body: undefined; answer: GraphAnswer };
  /** Runs by tasks. */
  "GET dags/{namespace}/{name}/grid": { query: GridQuery; body: undefined; answer: GridAnswer };
  /** How long runs took. */
  "GET dags/{namespace}/{name}/trend": { query: TrendQuery; body: undefined; answer: TrendAnswer };
  /** Its params, for a form. */
  "GET dags/{namespace}/{name}/form": { query: undefined; body: undefined; answer: FormAnswer };
  /** Approvals that wait. */
  "GET approvals": { query: ApprovalsQuery; body: undefined; answer: ApprovalsAnswer };
  /** Triggers. */
  "GET triggers": { query: Where; body: undefined; answer: TriggersAnswer };
  /** Backfills. */
  "GET backfills": { query: Where; body: undefined; answer: BackfillsAnswer };
  /** Pools, with holders and queues. */
  "GET pools": { query: Where; body: undefined; answer: PoolsAnswer };
  /** Assets, and what makes and follows them. */
  "GET assets": { query: Where; body: undefined; answer: AssetsAnswer };
  /** DAGs, runs, triggers, backfills, pools and assets by name. */
  "GET search": { query: SearchQuery; body: undefined; answer: SearchAnswer };
  /** Act on a run; with ?preview, tell what would happen. */
  "POST runs/{namespace}/{name}/actions": { query: Preview; body: ActionBody; answer: ActionAnswer };
  /** Start a run; with ?preview, check it only. */
  "POST dags/{namespace}/{name}/runs": { query: Preview; body: StartBody; answer: StartAnswer };
  /** Decide an approval. */
  "POST approvals/{namespace}/{name}": { query: Preview; body: DecisionBody; answer: DecisionAnswer };
  /** Topics that have changed, as they change. */
  "GET stream": { query: StreamQuery; body: undefined; answer: void };
}
