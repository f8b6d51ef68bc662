import { plantedBugs, findBug } from './find.ts'
for (const bug of plantedBugs.filter(b => /output of a failed/.test(b.name))) {
  const t = process.cpuUsage()
  const f = await findBug(bug)
  const c = process.cpuUsage(t)
  console.log(((c.user + c.system) / 1e6).toFixed(1) + 's', f === undefined ? 'NOT FOUND' : f.seed, f?.oracle, '|', bug.name, '|', f?.message.slice(0, 110).replaceAll('\n', ' '))
}
