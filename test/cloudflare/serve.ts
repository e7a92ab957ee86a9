/** A deployment in workerd as a process of its own, to be killed: PORT, DIR, and the settings are in the environment. */
import { deploy } from './deployed.ts';

const { PORT, DIR, ENTRY, DATABASE, PATH: _, ...env } = process.env;
const settings = Object.fromEntries(
  Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
);
await deploy({
  settings,
  port: Number(PORT),
  ...(DIR !== undefined && { dir: DIR }),
  ...(ENTRY !== undefined && { entry: ENTRY }),
  ...(DATABASE !== undefined && { database: DATABASE }),
});
