/**
 * The triggers of a capture: which there must be, what is wrong with those that are there, and the statements that put it right.
 *
 * Triggers of one moment fire in the order of their names. The version must be counted after everybody else has had the row in
 * hand, so its trigger begins with the last letter of ASCII. A change must be noted before another trigger changes the row again,
 * so that trigger begins with the first.
 */
import { type Finding, fault } from './finding.ts';
import type { Relation, TableFacts, Trigger } from './table-facts.ts';
import { quoteIdentifier } from './table-name.ts';

interface Expected {
  readonly relation: Relation;
  readonly name: string;
  /** As in `CREATE TRIGGER`. */
  readonly when: string;
  readonly each: 'ROW' | 'STATEMENT';
  readonly calls: string;
  readonly arguments: readonly string[];
  /** `pg_trigger.tgtype`. */
  readonly type: number;
  /** Made by Postgres, out of the trigger of the table above. */
  readonly inherited: boolean;
}

export interface TriggerMistake {
  readonly finding: Finding;
  /** The statements that put it right, in order. */
  readonly statements: readonly string[];
  /** Whether changes may have gone unnoticed meanwhile. */
  readonly isHole: boolean;
}

const VERSION = '~sluice_version';
const ROW = '!sluice_capture';
const TRUNCATE = '~sluice_truncate';
/** Every name that we give to a trigger. */
export const TRIGGER_NAMES: readonly string[] = [VERSION, ROW, TRUNCATE];

// Bits of `pg_trigger.tgtype`.
const [EACH_ROW, BEFORE, ON_INSERT, ON_DELETE, ON_UPDATE, ON_TRUNCATE] = [1, 2, 4, 8, 16, 32];

function expectedTriggers(table: TableFacts, capture: number): readonly Expected[] {
  const id = String(capture);
  const generated = table.columns.some((column) => column.generated);
  return [table, ...table.partitions].flatMap((relation): readonly Expected[] => {
    const inherited = relation !== table;
    return [
      {
        relation,
        inherited,
        name: VERSION,
        when: 'BEFORE UPDATE',
        each: 'ROW',
        calls: 'sluice.next_version',
        arguments: generated ? ['generated'] : [],
        type: EACH_ROW | BEFORE | ON_UPDATE,
      },
      {
        relation,
        inherited,
        name: ROW,
        when: 'AFTER INSERT OR UPDATE OR DELETE',
        each: 'ROW',
        calls: 'sluice.capture_row',
        arguments: [id],
        type: EACH_ROW | ON_INSERT | ON_DELETE | ON_UPDATE,
      },
      {
        relation,
        // Statement triggers do not come down from the table above.
        inherited: false,
        name: TRUNCATE,
        when: 'BEFORE TRUNCATE',
        each: 'STATEMENT',
        calls: 'sluice.capture_truncate',
        arguments: [id],
        type: BEFORE | ON_TRUNCATE,
      },
    ];
  });
}

/** Everything that is wrong with the triggers of a captured table and its partitions. */
export function triggerMistakes(table: TableFacts, capture: number): readonly TriggerMistake[] {
  const remade = new Set<string>();
  const mistakes: TriggerMistake[] = [];
  for (const expected of expectedTriggers(table, capture)) {
    const { relation, name, inherited } = expected;
    // What is made anew above comes anew to the partitions.
    if (inherited && remade.has(name)) continue;
    const found = table.triggers.find((trigger) => trigger.relation === relation.oid && trigger.name === name);
    const mistake = mistakeOf(expected, found);
    if (mistake === undefined) continue;
    if (relation.oid === table.oid && !mistake.onlySwitched) remade.add(name);
    mistakes.push({
      finding: fault(
        'trigger',
        `The trigger ${quoteIdentifier(name)} of ${relation.sql} ${mistake.what}.`,
        `sluice capture add '${table.sql}'`,
      ),
      statements: mistake.statements,
      isHole: name !== VERSION,
    });
  }
  return mistakes;
}

function mistakeOf(expected: Expected, found: Trigger | undefined) {
  const { relation, name } = expected;
  const on = `${quoteIdentifier(name)} ON ${relation.sql}`;
  const values = expected.arguments.map((value) => `'${value}'`).join(', ');
  const create =
    `CREATE TRIGGER ${quoteIdentifier(name)} ${expected.when} ON ${relation.sql} ` +
    `FOR EACH ${expected.each} EXECUTE FUNCTION ${expected.calls}(${values})`;
  if (found === undefined) return { what: 'is missing', onlySwitched: false, statements: [create] };
  const same =
    found.calls === expected.calls &&
    found.type === expected.type &&
    !found.conditional &&
    found.arguments.join() === expected.arguments.join();
  if (!same)
    return {
      what: 'is not the one that belongs there',
      onlySwitched: false,
      statements: [`DROP TRIGGER ${on}`, create],
    };
  if (found.enabled === 'O' || found.enabled === 'A') return undefined;
  return {
    what: found.enabled === 'D' ? 'is switched off' : 'fires for replication only',
    onlySwitched: true,
    statements: [`ALTER TABLE ${relation.sql} ENABLE TRIGGER ${quoteIdentifier(name)}`],
  };
}

/** Triggers that would change a row after its version was counted, or not. */
export function lateTriggers(table: TableFacts): readonly Finding[] {
  const before = EACH_ROW | BEFORE | ON_UPDATE;
  const late = table.triggers.filter(
    ({ name, type, enabled }) => (type & before) === before && enabled !== 'D' && name > VERSION,
  );
  // A partition's copy goes by the name of the trigger above.
  const above = new Set(late.filter(({ relation }) => relation === table.oid).map(({ name }) => name));
  return late
    .filter(({ relation, name }) => relation === table.oid || !above.has(name))
    .map((trigger) => {
      const relation = [table, ...table.partitions].find(({ oid }) => oid === trigger.relation) ?? table;
      return fault(
        'trigger',
        `The trigger ${quoteIdentifier(trigger.name)} of ${relation.sql} fires after the version was counted.`,
        `ALTER TRIGGER ${quoteIdentifier(trigger.name)} ON ${relation.sql} RENAME TO …; with a name that begins with a letter of ASCII.`,
      );
    });
}

/** The statements that take every trigger of ours off a table and its partitions. */
export function dropTriggers(table: TableFacts): readonly string[] {
  const ours = table.triggers.filter(({ name, calls }) => TRIGGER_NAMES.includes(name) && calls.startsWith('sluice.'));
  return [table, ...table.partitions].flatMap((relation) =>
    ours
      .filter((trigger) => trigger.relation === relation.oid && (relation === table || trigger.name === TRUNCATE))
      .map(({ name }) => `DROP TRIGGER ${quoteIdentifier(name)} ON ${relation.sql}`),
  );
}
