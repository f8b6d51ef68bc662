/** The example, with threads that can be made to end. */
import { endThreadWhenTold } from './thread-end.ts'

endThreadWhenTold()
// A static import for its effect alone would be dropped: the project says that its modules have none.
await import('../../../examples/hot-items/job.ts')
