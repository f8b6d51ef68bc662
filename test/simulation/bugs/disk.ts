/** Mistakes with files: what is not synced, not checked, not continued, or removed too early. */
import { onDisk, onFiles, type PlantedBug } from './support.ts'

const nothing = (): Promise<void> => Promise.resolve()

export const diskBugs: readonly PlantedBug[] = [
  { name: 'directories are never synced', budget: 20, plant: onDisk(() => ({ syncDir: nothing })) },
  {
    name: 'result files are not synced',
    budget: 60,
    plant: onFiles(/\.pending$/, () => ({ fdatasync: nothing })),
  },
  {
    name: 'manifests are not synced',
    budget: 100,
    plant: onFiles(/\.manifest/, () => ({ fdatasync: nothing })),
  },
  {
    name: 'state is not synced before its manifest',
    budget: 100,
    plant: onFiles(/\.data/, () => ({ fdatasync: nothing })),
  },
  {
    name: 'EIO of a sync is ignored',
    budget: 300,
    plant: onFiles(/./, (file) => ({ fdatasync: () => file.fdatasync().catch(() => {}) })),
  },
  {
    name: 'a failed sync is tried again',
    budget: 300,
    plant: onFiles(/./, (file) => ({
      fdatasync: () => file.fdatasync().catch(() => file.fdatasync()),
    })),
  },
  {
    name: 'a short write is not continued',
    budget: 40,
    plant: onFiles(/./, (file) => ({
      pwrite: (source, position) => file.pwrite(source, position).then(() => source.length),
    })),
  },
  {
    name: 'a name that could not be given is taken for given',
    budget: 600,
    plant: onDisk((disk) => ({ link: (from, to) => disk.link(from, to).catch(() => {}) })),
  },
  {
    name: 'the old checkpoint goes before the new one is there',
    budget: 100,
    harm(world) {
      const nth = 2 + (world.random.u32() % 3)
      world.disk.inject({
        path: '.manifest',
        call: 'link',
        nth,
        effect: { kind: 'crash', crash: 'kill' },
      })
    },
    plant: onDisk((disk) => ({
      async link(from, to) {
        const directory = '/state/checkpoints'
        if (to.startsWith(directory) && to.endsWith('.manifest')) {
          for (const name of await disk.list(directory)) {
            if (name.endsWith('.manifest')) await disk.unlink(`${directory}/${name}`)
          }
          await disk.syncDir(directory)
        }
        await disk.link(from, to)
      },
    })),
  },
  {
    name: 'recovery takes the checkpoint before the last',
    budget: 40,
    plant: onDisk((disk) => {
      let calls = 0
      return {
        async list(path) {
          const names = await disk.list(path)
          const manifests = names.filter((name) => name.endsWith('.manifest'))
          const hide = path === '/state/checkpoints' && calls++ < 2 && manifests.length > 1
          return hide ? names.filter((name) => name !== manifests.at(-1)) : names
        },
      }
    }),
  },
  {
    name: 'an adopted manifest is not made durable before its output is shown',
    budget: 200,
    harm(world) {
      world.plan('kill', { point: 'coord.manifest.publish', hit: 1 + (world.random.u32() % 3) })
      world.plan('power', { point: 'source.read', hit: 1 + (world.random.u32() % 40) })
    },
    plant: onDisk((disk) => {
      let linked = false
      return {
        link(from, to) {
          linked ||= to.startsWith('/state/checkpoints')
          return disk.link(from, to)
        },
        syncDir: (path) =>
          path === '/state/checkpoints' && !linked ? Promise.resolve() : disk.syncDir(path),
      }
    }),
  },
  {
    name: 'a directory that an earlier life made is not synced again',
    budget: 200,
    harm(world) {
      world.disk.inject({ path: '/out', call: 'mkdir', effect: { kind: 'crash', crash: 'kill' } })
      world.plan('power', { point: 'source.read', hit: 1 + (world.random.u32() % 40) })
    },
    plant: onDisk((disk) => {
      const made = new Set<string>()
      return {
        mkdir(path) {
          made.add(path.slice(0, path.lastIndexOf('/')) || '/')
          return disk.mkdir(path)
        },
        syncDir: (path) =>
          /^\/(out)?$/.test(path) && !made.has(path) ? Promise.resolve() : disk.syncDir(path),
      }
    }),
  },
]
