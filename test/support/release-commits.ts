import type { Fault, Watch } from "./release-watch.ts"

/** Writes down at each commit that touches the registry what is deployed then, and what the alias history says. */
const statements = [
  "CREATE SCHEMA IF NOT EXISTS trial",
  `CREATE TABLE IF NOT EXISTS trial.commits (id bigserial, slot text, deployed text[] NOT NULL, champion text)`,
  `CREATE OR REPLACE FUNCTION trial.look() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO trial.commits (slot, deployed, champion) SELECT NEW.slot,
        array(SELECT version FROM core.model_registry WHERE slot = NEW.slot AND status = 'deployed'),
        (SELECT version FROM core.alias_history WHERE slot = NEW.slot ORDER BY sequence DESC LIMIT 1);
      RETURN NULL;
    END $$`,
  `CREATE CONSTRAINT TRIGGER trial_look AFTER INSERT OR UPDATE ON core.model_registry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trial.look()`,
]

/** Sets it up, once the registry has its tables. */
export const install = async (watch: Watch): Promise<void> => {
  for (const statement of statements) await watch.ask(statement)
}

/** At no commit two were deployed, none, or another one than the history's last. How many commits there were. */
export const check = async (watch: Watch, fault: Fault): Promise<number> => {
  const rows = await watch.ask("SELECT id, slot, deployed, champion FROM trial.commits ORDER BY id")
  for (const { champion, deployed, id, slot } of rows) {
    const wanted = champion === null ? [] : [champion]
    if (JSON.stringify(deployed) === JSON.stringify(wanted)) continue
    fault(
      `commit ${id} (trial.commits): of ${slot} are deployed ${JSON.stringify(deployed)}, the champion is ${champion}`,
    )
  }
  if (rows.length === 0) fault("trial.commits has no row: nothing was seen")
  return rows.length
}
